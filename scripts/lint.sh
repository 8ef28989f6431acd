#!/usr/bin/env bash
# Check what a machine can check about the sources without running them: formatting, scripts, the floors that
# docs/ARCHITECTURE.md states, sizes of files. Says everything it finds, then fails if it found anything.
# Usage: lint.sh
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
complain() { printf 'lint: %s\n' "$*" >&2; failed=1; }
# Files that git tracks or would track.
files() { git ls-files --cached --others --exclude-standard -- "$@"; }

if swift format --version >/dev/null 2>&1; then
  swift format lint --strict --recursive --parallel Package.swift Sources tools Examples Tests ||
    complain "formatting differs from .swift-format; 'swift format -i FILE' mends most of it"
else
  complain "this Swift has no 'swift format' (it comes with Swift 6.0 and newer); formatting was not checked"
fi

mapfile -t shell_scripts < <(files '*.sh' .ci/run 'packaging/debian/p*')
shellcheck "${shell_scripts[@]}" || complain "shellcheck found faults in the scripts named above"

mapfile -t python_scripts < <(files '*.py')
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

scripts/embed-page.py --check || complain "the page that is served is not the page that is written"

# Nothing names what stands above it (docs/ARCHITECTURE.md, "Floors"), and the check would find it if something did.
scripts/check-floors.py || complain "the lines above go against the floors of docs/ARCHITECTURE.md"
scripts/check-floors.py --prove >/dev/null || complain "scripts/check-floors.py does not find what goes upwards"
# Each library's documentation page lists every public type, and none that is gone.
for module in VL2Base VL2Quant VL2Run; do
  page=Sources/$module/$module.docc/$module.md
  diff <(grep -rhoE '^public (final )?(struct|class|enum|protocol|actor) \w+' Sources/$module --include='*.swift' |
    sed 's/.* //' | sort -u) <(sed -n 's/^- ..\(\w*\)..$/\1/p' "$page" | sort) >&2 ||
    complain "$page lists other types than are public (< not listed, > not public)"
done
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
