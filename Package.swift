// swift-tools-version: 6.0
import PackageDescription

/// A Debian library that pkg-config knows.
func debianLibrary(_ name: String, pkgConfig: String, package: String) -> Target {
  .systemLibrary(
    name: name, path: "Sources/SystemLibraries/\(name)", pkgConfig: pkgConfig,
    providers: [.apt([package])])
}

let package = Package(
  name: "vl2",
  products: [
    .library(name: "VL2Quant", targets: ["VL2Base", "VL2Quant"]),
    .library(name: "VL2Run", targets: ["VL2Base", "VL2Run"]),
    .executable(name: "vl2", targets: ["vl2"]),
    .executable(name: "vl2-convert", targets: ["vl2-convert"]),
  ],
  dependencies: [
    .package(
      url: "https://github.com/apple/swift-argument-parser", .upToNextMinor(from: "1.8.2"))
  ],
  targets: [
    debianLibrary("CTurboJPEG", pkgConfig: "libturbojpeg", package: "libturbojpeg0-dev"),
    debianLibrary("CSpng", pkgConfig: "spng", package: "libspng-dev"),
    debianLibrary("CZstd", pkgConfig: "libzstd", package: "libzstd-dev"),
    debianLibrary("CCrypto", pkgConfig: "libcrypto", package: "libssl-dev"),
    debianLibrary("CYAML", pkgConfig: "yaml-0.1", package: "libyaml-dev"),
    debianLibrary("CMicrohttpd", pkgConfig: "libmicrohttpd", package: "libmicrohttpd-dev"),
    .target(name: "SystemSupport"),
    .target(name: "SIMDKernels"),
    .target(name: "CV4L2"),
    .target(name: "VL2Base", dependencies: ["SystemSupport", "CCrypto"]),
    .target(name: "VL2Quant", dependencies: ["VL2Base", "SIMDKernels", "SystemSupport", "CZstd"]),
    .target(
      name: "VL2Run",
      dependencies: ["VL2Base", "VL2Quant", "SIMDKernels", "SystemSupport", "CTurboJPEG", "CSpng"]),
    .target(
      name: "VL2Measure",
      dependencies: ["VL2Base", "VL2Quant", "VL2Run", "SIMDKernels", "SystemSupport"]),
    .target(name: "VL2Frames", dependencies: ["VL2Base", "VL2Run"]),
    .target(name: "VL2Watch", dependencies: ["VL2Base", "VL2Run", "VL2Frames", "CYAML", "CV4L2"]),
    .target(name: "VL2Read", dependencies: ["VL2Base", "VL2Quant", "VL2Run", "VL2Frames"]),
    .target(
      name: "VL2Serve", dependencies: ["VL2Base", "VL2Run", "CMicrohttpd"],
      // scripts/embed-page.py makes Swift files from them.
      exclude: ["Page/ask.html", "Page/kiosk.html"]),
    .target(
      name: "VL2Console",
      dependencies: [
        "VL2Base", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/console"),
    .executableTarget(
      name: "vl2-convert",
      dependencies: [
        "VL2Console", "VL2Base", "VL2Quant",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/convert"),
    .executableTarget(
      name: "vl2",
      dependencies: [
        "VL2Console", "VL2Base", "VL2Quant", "VL2Run", "VL2Measure", "VL2Serve", "VL2Frames",
        "VL2Read", "VL2Watch",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "tools/vl2"),
    // The example of VL2Run's documentation: a program that sees what programs of other packages see.
    .executableTarget(
      name: "TwoSessions", dependencies: ["VL2Run"], path: "Examples/TwoSessions", packageAccess: false),
    // What tests share: fixtures and how to run things; packed models; opened ones; what cameras see.
    .target(
      name: "TestSupport", dependencies: ["VL2Base"], path: "Tests/TestSupport", exclude: ["Fixtures"]),
    .target(
      name: "TestModels", dependencies: ["VL2Base", "VL2Quant", "SystemSupport", "TestSupport"],
      path: "Tests/TestModels"),
    .target(
      name: "TestRuntime", dependencies: ["VL2Quant", "VL2Run", "TestModels"], path: "Tests/TestRuntime"),
    .target(
      name: "TestFrames", dependencies: ["VL2Run", "CTurboJPEG", "TestSupport"], path: "Tests/TestFrames"),
    // Programs for tests that need a process of their own.
    .executableTarget(name: "EngineSoak", dependencies: ["VL2Run"], path: "Tests/EngineSoak"),
    .testTarget(name: "KernelTests", dependencies: ["SIMDKernels", "TestSupport"]),
    .testTarget(name: "BaseTests", dependencies: ["VL2Base", "TestSupport"]),
    .testTarget(
      name: "QuantTests",
      dependencies: ["VL2Base", "VL2Quant", "SIMDKernels", "SystemSupport", "TestSupport", "TestModels"]),
    .testTarget(
      name: "RunTests",
      dependencies: [
        "VL2Base", "VL2Quant", "VL2Run", "SIMDKernels", "SystemSupport", "TestSupport", "TestModels",
        "TestRuntime",
      ]),
    .testTarget(
      name: "MeasureTests",
      dependencies: [
        "VL2Base", "VL2Quant", "VL2Run", "VL2Measure", "TestSupport", "TestModels", "TestRuntime",
      ]),
    .testTarget(
      name: "ServeTests",
      dependencies: ["VL2Base", "VL2Run", "VL2Serve", "TestSupport", "TestModels", "TestFrames"]),
    .testTarget(
      name: "FramesTests", dependencies: ["VL2Base", "VL2Run", "VL2Frames", "TestSupport", "TestFrames"]),
    .testTarget(
      name: "WatchTests",
      dependencies: [
        "VL2Base", "VL2Run", "VL2Frames", "VL2Watch", "CV4L2", "TestSupport", "TestModels", "TestFrames",
      ]),
    .testTarget(
      name: "ReadTests",
      dependencies: [
        "VL2Base", "VL2Quant", "VL2Run", "VL2Frames", "VL2Read", "TestSupport", "TestFrames",
      ]),
    // It runs the programs, so they are built with it.
    .testTarget(
      name: "ToolTests",
      dependencies: [
        "vl2", "vl2-convert", "TwoSessions", "EngineSoak", "VL2Console", "VL2Base", "VL2Quant", "VL2Run",
        "SystemSupport", "TestSupport", "TestModels",
        "TestRuntime", "TestFrames",
      ]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)
