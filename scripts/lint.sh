#!/usr/bin/env bash
# Check what a machine can check about the sources without running them: formatting, scripts, the direction
# of imports, sizes of files. Says everything it finds, then fails if it found anything.
# Usage: lint.sh
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
complain() { printf 'lint: %s\n' "$*" >&2; failed=1; }
note() { printf 'lint: %s\n' "$*" >&2; }
# Files that git tracks or would track.
files() { git ls-files --cached --others --exclude-standard -- "$@"; }

if swift format --version >/dev/null 2>&1; then
  swift format lint --strict --recursive --parallel Package.swift Sources tools Tests ||
    complain "formatting differs from .swift-format; 'swift format -i FILE' mends most of it"
else
  complain "this Swift has no 'swift format' (it comes with Swift 6.0 and newer); formatting was not checked"
fi

mapfile -t shell_scripts < <(files '*.sh' .ci/run)
if command -v shellcheck >/dev/null 2>&1; then
  shellcheck "${shell_scripts[@]}" || complain "shellcheck found faults in the scripts named above"
else
  note "no shellcheck here (Debian package: shellcheck); shell scripts were only parsed"
  for script in "${shell_scripts[@]}"; do
    bash -n "$script" || complain "$script does not parse"
  done
fi

mapfile -t python_scripts < <(files '*.py')
if [ "${#python_scripts[@]}" -gt 0 ]; then
  if command -v python3 >/dev/null 2>&1; then
    python3 - "${python_scripts[@]}" <<'PYTHON' || complain "a Python script does not parse"
import ast, sys
wrong = 0
for path in sys.argv[1:]:
    try:
        with open(path, encoding="utf-8") as file:
            ast.parse(file.read(), path)
    except SyntaxError as error:
        wrong += 1
        print(f"{path}:{error.lineno}: {error.msg}", file=sys.stderr)
sys.exit(wrong > 0)
PYTHON
  else
    note "no python3 here; Python scripts were not checked"
  fi
fi

# Nothing imports upwards: a folder may not import what is built on it (docs/ARCHITECTURE.md, "Targets").
forbid_imports() {                          # forbid_imports FOLDER MODULE|MODULE|...
  [ -d "$1" ] || return 0
  local pattern="^[[:space:]]*(@[A-Za-z_]+[[:space:]]+)*((public|package|internal|private|fileprivate)[[:space:]]+)?import[[:space:]]+"
  pattern+="((struct|class|enum|protocol|func|var|let|typealias)[[:space:]]+)?($2)([.[:space:]]|\$)"
  if grep -rnE --include='*.swift' "$pattern" "$1" >&2; then
    complain "$1 may not import any of ${2//|/, } (the lines above do)"
  fi
}
forbid_imports Sources/VL2Base 'VL2Quant|VL2Run|VL2Measure|VL2Serve|SIMDKernels|ArgumentParser'
forbid_imports Sources/VL2Quant 'VL2Run|VL2Measure|VL2Serve|ArgumentParser|CTurboJPEG|CSpng'
forbid_imports Sources/VL2Run 'VL2Serve|ArgumentParser'
forbid_imports Sources/VL2Serve 'VL2Quant|SIMDKernels|ArgumentParser'
forbid_imports tools/console 'VL2Run|VL2Serve|SIMDKernels'
forbid_imports tools/convert 'VL2Run|VL2Serve|SIMDKernels'
forbid_imports tools/vl2 'SIMDKernels'
if grep -rnE --include='*.[ch]' '#[[:space:]]*include[[:space:]]*[<"]SystemSupport' Sources/SIMDKernels >&2; then
  complain "Sources/SIMDKernels knows the C library alone (the lines above include more)"
fi

while IFS= read -r file; do
  case $file in models/* | Tests/*/Fixtures/*) continue ;; esac
  if [ -f "$file" ] && [ "$(wc -c <"$file")" -gt 1048576 ]; then
    complain "$file is over 1 MB; only models/ and Tests/*/Fixtures/ may hold such files"
  fi
done < <(files)

[ "$failed" -eq 0 ] || exit 1
echo "lint: clean"
