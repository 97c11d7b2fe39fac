#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A release, from its maker to its users: tools/release builds the packages of this checkout for Debian 12 and 13 and signs a
# repository with a key of this test. In a minimal Debian of each, README's commands install weir from it with apt, which takes nothing
# that the key has not signed. The packages of WEIR_PACKAGES (DIR/bookworm/*.deb, DIR/trixie/*.deb) are taken as they are;
# WEIR_SUITES names other releases than both.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "skipped: needs root for a minimal Debian"; exit 77; }
work=$(mktemp -d) && mkdir "$work/home" "$work/release" || exit 1
trap 'gpgconf --homedir "$work/home" --kill all; rm -rf "$work"' EXIT
version=$("$root/tools/version") arch=$(dpkg --print-architecture)
read -ra suites <<<"${WEIR_SUITES:-bookworm trixie}"
bad=0
check() { # WHAT COMMAND...
	"${@:2}" && echo "ok - $1" && return
	bad=$((bad + 1))
	echo "not ok - $1"
}

gpg=(gpg --homedir "$work/home" --batch --pinentry-mode loopback --passphrase '')
chmod 700 "$work/home" && "${gpg[@]}" --quick-gen-key weir-test ed25519 sign never 2>/dev/null &&
	"${gpg[@]}" --export-secret-keys >"$work/key" && openssl genpkey -algorithm ed25519 -out "$work/update.key" || exit 1
check "a release of what is here" "$root/tools/release" "$version" --for "${suites[@]/%//$arch}" --packages "${WEIR_PACKAGES:-$work/packages}" \
	--out "$work/out" --key "$work/key" --update-key "$work/update.key" --url file:///release/apt
[ $bad = 0 ] || exit 1
mv "$work/out/apt" "$work/release/"

# README's block for the repository, with its address.
awk '/^## / { on = 0 } /^### By apt/ { on = 1 } on && /^```/ { n++; next } on && n == 1 { sub(/ *#.*/, ""); print }' "$root/README.md" |
	sed 's|https://REPOSITORY|file:///release/apt|' >"$work/release/steps"
check "README has its commands" grep -q 'apt install weir$' "$work/release/steps"
cat >"$work/release/user" <<'USER'
fails() { ! "$@" >/tmp/said 2>&1; }
sudo() { "$@"; } # root is there, sudo is not
cp -a /release/apt /release/kept
printf 'APT::Get::Assume-Yes "true";\nAPT::Update::Error-Mode "any";\nquiet "1";\n' >/etc/apt/apt.conf.d/test
export DEBIAN_FRONTEND=noninteractive
sudo apt update >/tmp/said 2>&1 # the lists of Debian: what is measured is the steps
while IFS= read -r step; do
	SECONDS=0
	eval "$step" >/tmp/said 2>&1 || { echo "failed: $step" && tail -n 20 /tmp/said && exit 1; }
	echo "$SECONDS s: $step"
done </release/steps
said=$(weirctl --version)
[ "$said" = "weirctl $1" ] || { echo "another weir: $said" && exit 1; }
case $(dpkg-query -W -f '${Version}' weir) in "${1/-/\~}+deb"*) ;; *) echo "another package" && exit 1 ;; esac
grep -q 'Origin: weir\|release .*o=weir' <<<"$(apt-cache policy)" || { echo "not from the repository" && exit 1; }
deb=$(ls /release/apt/pool/"$VERSION_CODENAME"/weir_*.deb)
printf weirweir | dd of="$deb" bs=1 seek=2000 conv=notrunc status=none && apt clean
fails apt install --reinstall weir && grep -qi 'hash sum' /tmp/said || { echo "took a changed package" && cat /tmp/said && exit 1; }
sed -i 's/^Origin: weir/Origin: rain/' /release/apt/dists/"$VERSION_CODENAME"/InRelease
fails apt update || { echo "took an index that was changed behind its signature" && cat /tmp/said && exit 1; }
rm -rf /release/apt && mv /release/kept /release/apt && apt update >/tmp/said 2>&1 || { echo "does not take it again" && exit 1; }
USER
# Inside, stdin is the repository.
# shellcheck disable=SC2016 # for the shell inside
installs() { # SUITE
	tar -C "$work" -c release | "$root/tools/bare" "$1" --enter bash -c 'tar -x -C / && . /etc/os-release && . /release/user' bash "$version"
}
for suite in "${suites[@]}"; do
	check "apt installs it in a minimal Debian ($suite), and refuses what was changed" installs "$suite"
done
[ $bad = 0 ]
