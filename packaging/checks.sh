# shellcheck shell=bash
# What the checks of packages share: a line for each, the output of one that failed, their number at the end.
# Usage: work=FOLDER; . checks.sh; check WHAT COMMAND...; finish_checks

checks=0 failed=0
check() {                                   # check WHAT COMMAND...
  local what=$1 status
  shift
  checks=$((checks + 1))
  # Not as the condition of an if, where a function would go on after a command that failed.
  set +e
  (set -e; "$@") >"${work:?}/output" 2>&1
  status=$?
  set -e
  if [ "$status" -eq 0 ]; then
    printf 'ok    %s\n' "$what"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s\n' "$what"
    sed 's/^/      /' "$work/output"
  fi
}
finish_checks() {                           # says how many there were; fails if one did
  printf '%d checks, %d failed\n' "$checks" "$failed"
  [ "$failed" -eq 0 ]
}

# A command that complains with status 0 may say nothing.
says_nothing() {                            # says_nothing COMMAND...
  local said
  said=$("$@" 2>&1) || { printf '%s\n' "$said"; return 1; }
  [ -z "$said" ] || { printf '%s\n' "$said"; return 1; }
}
wants_no_newer() {                          # wants_no_newer NAME VERSION FILE...: symbols of no version above this one
  local name=$1 most=$2 newest
  shift 2
  newest=$(readelf --version-info --wide "$@" | grep -oE "\b${name}_[0-9][0-9.]*" | sed "s/${name}_//" | sort -Vu | tail -n 1)
  echo "The newest symbols are of ${name}_${newest:-none}, $most is allowed:"
  readelf --dyn-syms --wide "$@" | grep "@${name}_$newest\b" | awk '{ print $8 }' | sort -u
  [ -n "$newest" ] && [ "$(printf '%s\n' "$most" "$newest" | sort -V | tail -n 1)" = "$most" ]
}
# glibc of Ubuntu 22.04, libstdc++ of Debian 12 and Ubuntu 22.04.
runs_on_old_systems() { wants_no_newer GLIBC 2.35 "$@" && wants_no_newer GLIBCXX 3.4.30 "$@"; }
# pocket's answers are the same on every machine.
answers() {                                 # answers FOLDER_OF_POCKET VL2...
  local pocket=$1 answer
  shift
  answer=$("$@" ask --model "$pocket/pocket.vl2q" "$pocket/demo.png" "What colour is the star?")
  [ "$answer" = red ] || { echo "The star is '$answer'"; return 1; }
  answer=$("$@" ask --model "$pocket/pocket.vl2q" "$pocket/demo.png" "What does the sign say?")
  [ "$answer" = cafe ] || { echo "The sign says '$answer'"; return 1; }
}
