#!/bin/bash
# files: every path of this machine, but for what the system itself keeps (logs, lists of apt and dpkg, its random seed), the
# entries of users and groups, and what vl2 remembers in the home of root, who ran it.
files() {
  local kept=(/proc /sys /dev /run /tmp /var/tmp /var/log /var/lib/apt /var/cache/apt /var/lib/dpkg /var/cache/debconf
    /var/cache/ldconfig /var/lib/systemd/random-seed /etc/apt /root/.cache) path prune=()
  for path in "${kept[@]}"; do prune+=(-path "$path" -o); done
  find / -xdev \( "${prune[@]}" -path /lost+found \) -prune -o -print |
    grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$' | sort
}
