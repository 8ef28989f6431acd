import ArgumentParser
import Glibc
import VL2Quant

@main
enum ErrorLine {
  /// Runs the command; an error becomes one line on standard error and an exit status of sysexits(3).
  static func main() {
    do {
      var command = try VL2Convert.parseAsRoot()
      try command.run()
    } catch let error as any ReportableError {
      Console.error("vl2-convert: \(error)")
      exit(error.exitStatus.rawValue)
    } catch let interruption as Interruption {
      interruption.endProcess()
    } catch {
      VL2Convert.exit(withError: error)
    }
  }
}
