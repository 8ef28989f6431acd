#!/usr/bin/env bash
# Run `vl2 serve` with the bundled model against the programs that speak to such a server, and against what no program
# should send. Tests/ClientTests/README.md says what each part is.
# Usage: test-clients.sh [PART...]     all parts where none is named
# VL2_BUILD names the folder of vl2 and vl2-convert (.build/release). Python packages and downloaded tests are kept in
# .build/clients.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
tests=$root/Tests/ClientTests
kept=$root/.build/clients
all=(openai openai-1.65 ollama llm langchain instructor pydantic-ai litellm frigate home raw-http limits openapi page
  mistreatment slow-clients llama-server)

say() { printf '%s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

parts=("$@")
[ $# -gt 0 ] || parts=("${all[@]}")
for part in "${parts[@]}"; do
  [[ " ${all[*]} " == *" $part "* ]] || fail "there is no part '$part'; the parts are: ${all[*]}"
done
for program in vl2 vl2-convert; do
  [ -x "${VL2_BUILD:-.build/release}/$program" ] ||
    fail "${VL2_BUILD:-.build/release}/$program is not there; 'make build' makes it, VL2_BUILD names another folder"
done
scripts/install-dependencies.sh clients

# Clients must not take this machine's proxy to themselves, nor its user's keys and settings, nor report what they do.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
unset "${!OPENAI_@}" "${!OLLAMA_@}" "${!LANGCHAIN_@}" "${!LANGSMITH_@}" "${!LITELLM_@}" "${!LLM_@}"
export LITELLM_LOCAL_MODEL_COST_MAP=True PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1

# Makes a venv with exactly what its file lists, or takes the one of an earlier run if the file is the same.
venv() { # NAME
  local folder=$kept/venv/$1 wanted=$tests/requirements/$1.txt
  cmp -s "$wanted" "$folder/requirements.txt" && return
  say "Installing the Python packages of $wanted"
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$folder/requirements.txt"
}

# Downloads llama.cpp's server tests, which come with a source package of PyPI; 77 MB of which 0.4 are kept.
llama_server_tests() {
  local wanted=$tests/requirements/llama-server-tests.txt folder=$kept/llama-server-tests
  cmp -s "$wanted" "$folder/requirements.txt" && return
  say "Downloading the tests of $wanted"
  rm -rf "$folder"
  mkdir -p "$folder/download"
  "$kept/venv/main/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python --require-hashes \
    --requirement "$wanted" --dest "$folder/download"
  tar -xzf "$folder"/download/*.tar.gz -C "$folder" --wildcards --strip-components=5 '*/vendor/llama.cpp/tools/server/tests/*'
  rm -rf "$folder/download"
  cp "$wanted" "$folder/requirements.txt"
}

# Runs pytest for a part; what it prints is kept, for the totals.
run() { # VENV FOLDER WORDS...
  local venv=$1 folder=$2
  shift 2
  mkdir -p "$kept/logs" "$kept/tmp"
  (cd "$folder" && "$kept/venv/$venv/bin/python" -m pytest --quiet --tb=short -p no:cacheprovider -p no:warnings \
    --basetemp "$kept/tmp/$part" --color=no "$@") 2>&1 | tee "$kept/logs/$part"
}

run_part() {
  case $part in
    openai-1.65) run openai-1.65 "$tests" test_openai.py ;;
    instructor) run instructor "$tests" test_instructor.py ;;
    litellm) run litellm "$tests" test_litellm.py ;;
    page) run page "$tests" test_page.py ;;
    llama-server)
      PYTHONPATH=$tests/llama_server:$tests run main "$tests/llama_server" test_left_out.py &&
        PYTHONPATH=$tests/llama_server:$tests run main "$kept/llama-server-tests/tests" -p against_vl2 unit
      ;;
    *) run main "$tests" "test_${part//-/_}.py" ;;
  esac
}

needs_venv() {
  case $part in
    openai-1.65 | instructor | litellm | page) echo "$part" ;;
    *) echo main ;;
  esac
}

begin=$SECONDS
for part in "${parts[@]}"; do
  venv "$(needs_venv)"
  [ "$part" != llama-server ] || llama_server_tests
done
say "Packages are there after $((SECONDS - begin)) s"

failed=()
passed=0
report=()
for part in "${parts[@]}"; do
  say ""
  say "== $part"
  part_begin=$SECONDS
  run_part || failed+=("$part")
  count=$(grep -oE '[0-9]+ passed' "$kept/logs/$part" | tail -n 1 | grep -oE '[0-9]+') || count=0
  passed=$((passed + count))
  report+=("$(printf '%-14s %4d passed  %4d s' "$part" "$count" $((SECONDS - part_begin)))")
  # The models and pictures of a part are of no use to the next.
  rm -rf "$kept/tmp"
done

say ""
for line in "${report[@]}"; do say "$line"; done
if [ "${#failed[@]}" -gt 0 ]; then
  fail "test-clients: failed in ${failed[*]}; $passed cases passed in ${#parts[@]} parts, $((SECONDS - begin)) s"
fi
say "test-clients: all $passed cases of ${#parts[@]} parts passed in $((SECONDS - begin)) s"
