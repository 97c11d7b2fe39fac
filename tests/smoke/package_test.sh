#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The Debian package, from tools/package to purge: its files, the first answer of a fresh Debian of this release within a minute
# of `apt install`, and the files that an upgrade, a removal and a purge keep. The Debian is a chroot in namespaces without the
# Internet; no systemd runs there, so rig/systemctl stands for it. WEIR_DEB=FILE.deb tests that package.
set -u
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
work=${WEIR_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}/package_test
debian=$work/debian
release=$(. /etc/os-release && echo "${VERSION_CODENAME-}")

# Everything that needs the Internet, so before _init.sh: the package, a Debian, the packages that ours depends on.
prepare() {
	local root base=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weir/debian-$release.tar
	root=$(cd "$(dirname "$0")/../.." && pwd)
	rm -rf --one-file-system "$work" && mkdir -p "$work/out" "$debian" "${base%/*}" || return
	if [ -n "${WEIR_DEB-}" ]; then
		cp "$WEIR_DEB" "${WEIR_DEB%_*.deb}.spdx.json" "$work/out/" || return
	else
		SECONDS=0
		"$root/tools/package" --out "$work/out" || return
		echo "built in $SECONDS s"
	fi
	if [ -z "$(find "$base" -maxdepth 0 -type f -mtime -7 2>/dev/null)" ]; then
		apt-get indextargets --format '$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
			sed -n 's/^Debian //p' >"$work/sources.list"
		[ -s "$work/sources.list" ] || echo "deb http://deb.debian.org/debian $release main" >"$work/sources.list"
		mmdebstrap --quiet --variant=apt --mode=root --format=tar "$release" "$base.part" "$work/sources.list" >"$work/log" 2>&1 &&
			rm -rf "$base" && mv "$base.part" "$base" || { tail -n 5 "$work/log" && return 1; }
	fi
	tar -C "$debian" -xf "$base" && cp /etc/resolv.conf "$debian/etc/" && cp "$work/out"/weir_*.deb "$debian/weir.deb" || return
	chroot "$debian" apt-get update -qq || return
	SECONDS=0
	DEBIAN_FRONTEND=noninteractive chroot "$debian" apt-get install -y -qq --download-only /weir.deb >"$work/log" 2>&1 ||
		{ tail -n 5 "$work/log" && return 1; }
	echo $SECONDS >"$work/download_s"
}
if [ -z "${WEIR_SMOKE_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "skipped: needs root for namespaces"; exit 77; }
	prepare || { echo "not ok - the package, a Debian, and what it downloads"; exit 1; }
fi
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

deb=$(ls "$work/out"/weir_*.deb)
path=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
inside() { DEBIAN_FRONTEND=noninteractive PATH=$path chroot "$debian" "$@"; }
apt() { inside apt-get -o DPkg::Path=$path -o Dpkg::Options::=--force-confdef -y -qq "$@"; }
for place in dev sys; do mount --rbind /$place "$debian/$place" || exit 1; done
mount -t proc proc "$debian/proc" && mount -t tmpfs -o mode=755 tmpfs "$debian/run" || exit 1
mkdir -p "$debian/run/systemd/system" # for maintainer scripts: systemd runs
cp "$smoke_dir/rig/systemctl" "$debian/usr/local/sbin/" || exit 1
calls=$debian/run/systemctl/calls
ask() { inside kdig +short +timeout=1 +retry=0 "$@" @198.18.0.53 ok-3000.weir.net A 2>/dev/null; }
answers() { [ "$(ask "$@")" = 198.18.200.1 ]; }
pid_in() { cat "$debian/run/systemctl/weir-$1.service.pid"; }
mode() { stat -c '%a %U:%G' "$@"; }
mode_in() { inside stat -c '%a %U:%G' "$@"; }
groups_of() { # PID: names
	for gid in $(sed -n 's/^Groups:\t//p' "/proc/$1/status"); do
		inside getent group "$gid" | cut -d: -f1
	done | sort | xargs
}
refused() { ! "$@" >$tmp/denied 2>&1 && grep -q 'no permission (root, or a member of runtime.group)' $tmp/denied; }

# --- what is in it ---------------------------------------------------------------------------------------------------
check "lintian has no error and no warning" lintian --fail-on error,warning --no-tag-display-limit "$deb"
dpkg-deb -c "$deb" | awk '{ print $1, $2, $6 }' | sort -k 3 >$tmp/contents
while read -r wanted; do
	[ $release = bookworm ] || wanted=${wanted/ .\/lib\// .\/usr\/lib\/}
	check "contents: $wanted" grep -qxF -- "$wanted" $tmp/contents
done <<'CONTENTS'
-rwxr-xr-x root/root ./usr/sbin/weir-dataplane
-rwxr-xr-x root/root ./usr/sbin/weir-controlplane
-rwxr-xr-x root/root ./usr/bin/weirctl
-rwxr-xr-x root/root ./usr/bin/rulec
-rwxr-xr-x root/root ./usr/libexec/weir/weir-loadgen
drwxr-x--- root/root ./etc/weir/
-rw-r----- root/root ./etc/weir/weir.yaml
-rw-r--r-- root/root ./lib/systemd/system/weir-dataplane.service
-rw-r--r-- root/root ./lib/systemd/system/weir-controlplane.service
-rw-r--r-- root/root ./lib/systemd/system/weir-nic@.service
-rw-r--r-- root/root ./lib/systemd/system/weir-doctor.service
-rw-r--r-- root/root ./lib/systemd/system/weir-doctor.timer
-rw-r--r-- root/root ./lib/systemd/system/weir-doctor.path
-rw-r--r-- root/root ./lib/systemd/system/weir-announce.service
-rw-r--r-- root/root ./lib/systemd/system/dev-hugepages\\x2dweir.mount
-rw-r--r-- root/root ./lib/udev/rules.d/60-weir-nic.rules
-rw-r--r-- root/root ./usr/lib/sysusers.d/weir.conf
-rw-r--r-- root/root ./usr/lib/weir/import/program.py
-rw-r--r-- root/root ./usr/lib/weir/import/weir_import/main.py
-rw-r--r-- root/root ./usr/lib/weir/import/weir_import/readers/pihole.py
-rw-r--r-- root/root ./usr/lib/tmpfiles.d/weir.conf
-rwxr-xr-x root/root ./usr/lib/weir/weir-announce
-rw-r--r-- root/root ./usr/lib/sysctl.d/10-weir.conf
-rw-r--r-- root/root ./usr/share/bash-completion/completions/weirctl
-rw-r--r-- root/root ./usr/share/doc/weir/copyright
-rw-r--r-- root/root ./usr/share/doc/weir/examples/container/daemonset-config.yaml
-rw-r--r-- root/root ./usr/share/doc/weir/examples/container/daemonset.yaml
-rw-r--r-- root/root ./usr/share/doc/weir/examples/container/weir.nomad.hcl
-rwxr-xr-x root/root ./usr/share/doc/weir/examples/fleet/upgrade
-rw-r--r-- root/root ./usr/share/doc/weir/examples/fleet/upgrade.yml
-rw-r--r-- root/root ./usr/share/doc/weir/examples/hugepages.conf
-rw-r--r-- root/root ./usr/share/doc/weir/examples/keepalived.conf
-rw-r--r-- root/root ./usr/share/doc/weir/examples/weir.yaml
-rw-r--r-- root/root ./usr/share/doc/weir/weir.spdx.json
-rw-r--r-- root/root ./usr/share/doc/weir/docs/how-to/install.md
-rw-r--r-- root/root ./usr/share/man/man1/rulec.1.gz
-rw-r--r-- root/root ./usr/share/man/man5/weir.yaml.5.gz
-rw-r--r-- root/root ./usr/share/man/man8/weir-controlplane.8.gz
-rw-r--r-- root/root ./usr/share/man/man8/weir-dataplane.8.gz
-rw-r--r-- root/root ./usr/share/man/man8/weirctl.8.gz
-rw-r--r-- root/root ./usr/share/man/man8/weirctl-config.8.gz
-rw-r--r-- root/root ./usr/share/man/man8/weirctl-state.8.gz
-rw-r--r-- root/root ./usr/share/weir/grafana/alerts.yml
-rw-r--r-- root/root ./usr/share/weir/grafana/weir-clickhouse.json
-rw-r--r-- root/root ./usr/share/weir/grafana/weir-prometheus.json
-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/weirctl.fish
-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_weirctl
CONTENTS
same "nothing in it is setuid, or for everyone to write" '' "$(grep -E '^-..s|^-.....s|^-.......w|^d.......w' $tmp/contents)"
same "one configuration file" /etc/weir/weir.yaml "$(dpkg-deb -I "$deb" conffiles)"
spdx=$(ls "$work/out"/weir_*.spdx.json)
check "the bill of materials is beside it" cmp "$spdx" <(dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/share/doc/weir/weir.spdx.json)
check "it is SPDX 2.3, of this package, each item with what it needs" jq -e --arg version "$(dpkg-deb -f "$deb" Version)" '
	.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .SPDXID == "SPDXRef-DOCUMENT"
	and (.creationInfo.created | test("^[0-9-]+T[0-9:]+Z$")) and (.documentNamespace | startswith("https://"))
	and .packages[0].name == "weir" and .packages[0].versionInfo == $version
	and all(.packages[]; .SPDXID and .name and .versionInfo and .downloadLocation and .licenseDeclared)
	and all(.files[]; .fileName and (.checksums | map(.algorithm) | contains(["SHA1", "SHA256"])))
	and ([.packages[].SPDXID, .files[].SPDXID] | length == (unique | length))
	and ([.packages[].SPDXID] - [.relationships[].relatedSpdxElement] == [])' "$spdx"
dpkg-deb --fsys-tarfile "$deb" | tar -x -C $tmp ./usr/sbin/weir-dataplane
version=$(dpkg-deb -f "$deb" Version | sed 's/+deb[0-9]*$//; s/~/-/')
same "the programs say the package's version" "weir-dataplane $version," "$($tmp/usr/sbin/weir-dataplane --version | cut -d' ' -f1,2)"
same "with the digest of the packaged program" "$(sha256sum <$tmp/usr/sbin/weir-dataplane | cut -d' ' -f1)" \
	"$(jq -r '.files[] | select(.fileName == "./usr/sbin/weir-dataplane").checksums[] | select(.algorithm == "SHA256").checksumValue' "$spdx")"
for name in $(dpkg-deb -f "$deb" Depends | grep -oE '(^|, )lib[a-z0-9.+-]+' | tr -d ', '); do
	check "it names $name" jq -e --arg name "$name" 'any(.packages[]; .name == $name)' "$spdx"
done

# --- two commands ----------------------------------------------------------------------------------------------------
# The upstream of the installed configuration, in this namespace alone.
ip address add 9.9.9.9/32 dev lo
$python "$root/tests/lab/upstream.py" 53 $tmp/up.log 9.9.9.9 &
begin=$(now_ms)
check "apt install ./weir.deb" apt install /weir.deb
check "kdig @198.18.0.53" eventually answers
seconds=$((($(now_ms) - begin) / 1000 + $(<"$work/download_s")))
echo "from nothing to the first answer: $seconds s, of these $(<"$work/download_s") s of download"
# As often as long where that many others run for each CPU.
check "within 60 s" test $seconds -lt "$(awk -v cpus="$(nproc)" '{ print int(60 * ($1 > cpus ? $1 / cpus : 1)) }' /proc/loadavg)"
[ $bad = 0 ] || tail -n 10 "$debian"/run/systemctl/*.log
check "over TCP as well" answers +tcp
same "the users" 'weir-dp:weir weir-cp:weir' "$(inside id -un weir-dp):$(inside id -gn weir-dp) $(inside id -un weir-cp):$(inside id -gn weir-cp)"
same "/etc/weir is the group's to read" '750 root:weir' "$(mode_in /etc/weir)"
same "so is the configuration" '640 root:weir' "$(mode_in /etc/weir/weir.yaml)"
same "/run/weir is both processes' to write, and others may pass" '3771 root:weir' "$(mode_in /run/weir)"
same "what is the control plane's there is its alone" '2751 weir-cp:weir' "$(mode_in /run/weir/control)"
same "the state is the control plane's" '750 weir-cp:weir' "$(mode_in /var/lib/weir)"
for process in dataplane:weir-dp:weir-stats controlplane:weir-cp:weir-admin,weir-stats; do
	IFS=: read -r who user groups <<<"$process"
	same "the user of the $who" "$user" "$(inside id -un "$(stat -c %u "/proc/$(pid_in "$who")/task")")"
	same "and its groups" "weir ${groups/,/ }" "$(groups_of "$(pid_in "$who")")"
done
# Operators: members of weir-admin, and nobody else.
inside useradd --groups weir-admin alice && inside useradd mallory && inside useradd --groups weir-stats carol || exit 1
as() { # USER WORDS: weirctl
	inside setpriv --reuid "$1" --regid "$1" --init-groups weirctl "${@:2}"
}
check "weirctl status as root" inside weirctl status
check "as a member of weir-admin" as alice status
check "who may also see the counters" as alice stats --interval 0
check "and change something" as alice config reload
check "nobody else may" refused as mallory status
check "a member of weir-stats sees the counters" as carol stats --interval 0
check "and changes nothing" refused as carol config reload
verb_of_dp() { inside setpriv --reuid weir-dp --regid weir --init-groups weirctl "$@"; }
check "nor does the data plane's user" refused verb_of_dp config reload
for unit in weir-dataplane.service weir-controlplane.service weir-doctor.timer weir-doctor.path; do
	check "$unit starts at boot" inside systemctl is-enabled $unit
done
for unit in weir-doctor.timer weir-doctor.path; do
	check "$unit is started" grep -q "start $unit" "$calls"
done
check "root leaves findings" eval 'touch "$debian/var/lib/weir/doctor.request" && inside weirctl doctor --save'
same "which root wrote for the group of the folder" '640 root:weir' "$(mode_in /var/lib/weir/doctor)"
check "and shows" eval 'curl -s --unix-socket "$debian/run/weir/control/control.sock" http://weir/v1/doctor | jq -e ".state == \"saved\" and .requested_unix_s == 0 and (.findings | length) > 20"'
check "the mount of huge pages comes with them" inside test -L \
	'/etc/systemd/system/weir-dataplane.service.wants/dev-hugepages\x2dweir.mount'
check "no library is missing" inside sh -c '! ldd /usr/sbin/weir-* /usr/bin/weirctl /usr/bin/rulec /usr/libexec/weir/* | grep "not found"'
completes() { inside bash -c ". /usr/share/bash-completion/completions/weirctl; COMP_WORDS=(weirctl $1 ''); COMP_CWORD=2; _weirctl; echo \${COMPREPLY[*]}"; }
same "bash completes commands" 'get flush stats --config --json --host --token-file --ca --pin --version --help' "$(completes cache)"

# --- upgrade ---------------------------------------------------------------------------------------------------------
# again_as VERSION [SED]: the same package with another version, and its configuration edited.
again_as() {
	rm -rf $tmp/x && dpkg-deb -R "$deb" $tmp/x && sed -i "s/^Version: .*/Version: $1/" $tmp/x/DEBIAN/control &&
		sed -i "${2:-}" $tmp/x/etc/weir/weir.yaml && dpkg-deb --root-owner-group -b $tmp/x "$debian/weir-$1.deb"
}
echo '# edited here' >>"$debian/etc/weir/weir.yaml"
sed -i '/^  records:/a\    - {name: nas.lan, type: A, value: 198.18.9.9}' "$debian/etc/weir/weir.yaml"
chmod 440 "$debian/etc/weir/weir.yaml"
before="$(pid_in dataplane) $(pid_in controlplane)"
: >"$calls"
# As versions before weir-stats made it.
inside gpasswd -a weir-dp weir-admin >/dev/null
check "a newer version" again_as 9.1 's/^  l0_mb: 64/  l0_mb: 65/'
check "upgrade" apt install /weir-9.1.deb
same "both restarted, the data plane first" 'weir-dataplane.service weir-controlplane.service weir-doctor.timer weir-doctor.path' \
	"$(sed -n 's/.* restart //p' "$calls" | tr '\n' ' ' | sed 's/ $//')"
same "the data plane's user is no operator any more" "weir weir-stats" "$(inside id -nG weir-dp)"
check "with other processes" test "$before" != "$(pid_in dataplane) $(pid_in controlplane)"
same "nothing was stopped for longer" '' "$(grep ' stop' "$calls")"
check "it answers" eventually answers
check "the edited configuration is kept" grep -qx '# edited here' "$debian/etc/weir/weir.yaml"
same "so is its mode" '440 root:weir' "$(mode_in /etc/weir/weir.yaml)"

echo 'nonsense: true' >>"$debian/etc/weir/weir.yaml"
before="$(pid_in dataplane) $(pid_in controlplane)"
: >"$calls"
again_as 9.2 >/dev/null
check "upgrade with a configuration that the new version refuses" eval "apt install /weir-9.2.deb >$tmp/refused 2>&1"
check "it says so" grep -q 'weir: this version refuses /etc/weir/weir.yaml' $tmp/refused
check "and why" grep -q nonsense $tmp/refused
same "nothing was restarted" '' "$(grep -E ' (start|restart|stop)( |$)' "$calls")"
same "the processes are the same" "$before" "$(pid_in dataplane) $(pid_in controlplane)"
check "they answer" answers
sed -i '/^nonsense/d' "$debian/etc/weir/weir.yaml"
check "downgrade" eval 'apt install --allow-downgrades /weir.deb && eventually answers'

# --- removal ---------------------------------------------------------------------------------------------------------
nas() { [ "$(inside kdig +short +timeout=1 +retry=0 @198.18.0.53 nas.lan A 2>/dev/null)" = 198.18.9.9 ]; }
check "it answers as edited" eventually nas
check "a backup" inside weirctl backup /backup.tar
state=$(ls "$debian/var/lib/weir" | wc -l)
check "there is state to keep" test "$state" -gt 0
card=weir-nic@0000:ff:00.0.service # that each boot binds
ln -s /lib/systemd/system/weir-nic@.service "$debian/etc/systemd/system/multi-user.target.wants/$card"
check "remove" apt remove weir
check "no process is left" eval '! pgrep -x "weir-dataplane|weir-controlplan"'
same "no interface" '' "$(ls /sys/class/net | grep -E 'wt0|weir0')"
same "nothing in memory" '' "$(ls -d "$debian"/run/weir /dev/shm/* "$debian"/dev/hugepages-weir 2>/dev/null)"
check "the configuration is kept" grep -qx '# edited here' "$debian/etc/weir/weir.yaml"
same "so is the state" "$state" "$(ls "$debian/var/lib/weir" | wc -l)"
check "installed again it answers" eval 'apt install /weir.deb && eventually answers'
check "its card is bound again" grep -q " start $card" "$calls"
check "with the edited configuration" grep -qx '# edited here' "$debian/etc/weir/weir.yaml"
check "purge" apt purge weir
same "nothing is left" '' "$(find "$debian" -xdev -name '*weir*' ! -name 'weir*.deb' ! -path "$debian/usr/local/*")"
same "nor in memory" '' "$(ls -d "$debian"/run/weir /dev/shm/* 2>/dev/null)"
same "but the users and their groups" "2 3" "$(grep -c '^weir-' "$debian/etc/passwd") $(grep -cE '^weir(-admin|-stats)?:' "$debian/etc/group")"
# --- restore -----------------------------------------------------------------------------------------------------------
check "installed after the purge" eval 'apt install /weir.deb && eventually answers'
check "it does not answer as edited" eval '! nas'
check "restore" inside weirctl restore --force /backup.tar
same "with the mode and owner from before" '440 root:weir' "$(mode_in /etc/weir/weir.yaml)"
check "it answers as before the purge" eval 'inside systemctl restart weir-dataplane.service weir-controlplane.service && eventually nas && answers'
check "purge" apt purge weir
kill %1
umount -l "$debian/run" "$debian/proc" "$debian/sys" "$debian/dev"
[ $bad != 0 ] || rm -rf --one-file-system "$work"
finish
