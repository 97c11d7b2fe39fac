#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# No daemon of tools/packages runs at the next boot because weir's tools have installed it. usage: test_packages.sh SOURCE_ROOT
set -u
. "$1/tools/common.sh"
# These serve nobody by themselves: formats of programs, a filter without rules, and what systemd's containers wait for.
passive=' binfmt-support.service nftables.service machines.target '

# As root in a Debian that has none of them. Nothing is installed; what systemd would be told is what this prints.
id() { echo 0; }
packages_missing() { awk '$1 ~ /^[a-z]/ && $1 != "npm" && $1 != "unpack" && !seen[$2]++ { printf "%s ", $2 }' "$weir_root/tools/packages"; }
packages_apt() { :; }
systemctl() { echo "$*" >&3; }
disabled=$(packages_install all 3>&1 >/dev/null | sed -n 's/^disable --now //p' | sed 's/^[^.]*$/&.service/')

bad=0
# Units of those that this machine has: wanted at boot, and not for an instance.
# shellcheck disable=SC2046 # words
for unit in $(dpkg-query -L $(packages_missing) 2>/dev/null | grep -E '^(/usr)?/lib/systemd/system/[^/@]+\.(service|socket|timer|target|path)$'); do
	grep -q '^WantedBy=.*\.target' "$unit" && [[ $passive != *" ${unit##*/} "* ]] || continue
	grep -qxF "${unit##*/}" <<<"$disabled" || { echo "not ok: ${unit##*/} would run at the next boot" && bad=1; }
done
exit $bad
