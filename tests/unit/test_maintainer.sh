#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The package's maintainer scripts, in the order and with the words in which dpkg calls them, on a tree in place of / and with stubs
# of the programs that they call. usage: test_maintainer.sh SOURCE_ROOT
root=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0
wants=$dir/etc/systemd/system/multi-user.target.wants
mkdir -p "$dir/bin" "$wants" "$dir/etc/weir" "$dir/run/systemd/system" "$dir/lib/systemd" "$dir/dev/shm" "$dir/var/lib/weir" "$dir/sys/class/net"
for name in bin/deb-systemd-invoke bin/systemctl bin/chgrp bin/gpasswd bin/ip bin/umount lib/systemd/systemd-sysctl bin/weirctl bin/id bin/mountpoint; do
	printf '#!/bin/sh\necho "${0##*/} $*" >>"%s/said"\n' "$dir" >"$dir/$name"
done
echo '[ ! -e "${0%/*}/refuse" ]' >>"$dir/bin/weirctl"
echo false >>"$dir/bin/mountpoint"
chmod +x "$dir"/bin/* "$dir/lib/systemd/systemd-sysctl"
: >"$dir/etc/weir/weir.yaml"

same() { # WHAT WANTED GOT
	[ "$2" = "$3" ] && return
	bad=$((bad + 1))
	echo "not ok: $1: '$3', not '$2'"
}
# Each path of the machine in a script is one of the tree.
for script in preinst postinst prerm postrm; do
	sed -E "s#(^|[^[:alnum:]/.*}])/(dev|etc|lib|run|sys|var)/#\1$dir/\2/#g" "$root/tools/debian/weir.$script" >"$dir/$script"
	left=$(sed "1d; s#$dir/##g" "$dir/$script" | grep -E '(^|[^[:alnum:].*}"])/(dev|etc|lib|run|sys|usr|var)')
	[ -z "$left" ] || { echo "not ok: $script has paths of the machine: $left"; exit 1; }
done
call() { # SCRIPT WORD...
	script=$1
	shift
	PATH=$dir/bin:$PATH sh "$dir/$script" "$@" >>"$dir/printed" 2>&1 || same "$script $* ends with" 0 $?
}
# What deb-systemd-invoke was asked for since, without the two processes and the check of the machine.
units() {
	sed -nE 's/^deb-systemd-invoke //p' "$dir/said" | grep -vE ' weir-(dataplane|controlplane|doctor)\.' | xargs
	: >"$dir/said"
}

call preinst install
call postinst configure ""
same "a first installation starts nothing else" '' "$(units)"
for unit in weir-nic@0000:03:00.0 weir-nic@0000:04:00.1 weir-announce; do ln -s "/lib/systemd/system/${unit%%@*}.service" "$wants/$unit.service"; done
call preinst upgrade 1.0 1.1
call postinst configure 1.0
same "an upgrade starts nothing that was stopped by hand" 'try-restart weir-announce.service' "$(units)"
call prerm remove
same "a removal stops all" 1 "$(grep -c 'stop weir-announce.* weir-nic@\*.service ' "$dir/said")"
call postrm remove
: >"$dir/said"
call preinst install 1.1 1.1
call postinst configure 1.1
same "an installation after it starts what it stopped, cards first" \
	'start weir-nic@0000:03:00.0.service start weir-nic@0000:04:00.1.service try-restart weir-announce.service start weir-announce.service' "$(units)"
call preinst upgrade 1.1 1.2
call postinst configure 1.1
same "the next upgrade is one" 'try-restart weir-announce.service' "$(units)"
call preinst install 1.2 1.2
: >"$dir/bin/refuse"
call postinst configure 1.2
same "also where the configuration is refused" \
	'start weir-nic@0000:03:00.0.service start weir-nic@0000:04:00.1.service start weir-announce.service' "$(units)"
rm "$dir/bin/refuse"

# Interfaces with weir's mark alone: wt0 is also NetBird's.
mkdir -p "$dir/run/weir/control"
echo '00000000000000ab 1 2' >"$dir/run/weir/instance"
for of in "wt0=" "wt1=weir exception of 00000000000000ab" "weir0=weir exception of 00000000000000ab" "weir1=weir exception of 00000000000000cd" "lo="; do
	mkdir "$dir/sys/class/net/${of%%=*}"
	: >"$dir/sys/class/net/${of%%=*}/tun_flags"
	echo "${of#*=}" >"$dir/sys/class/net/${of%%=*}/ifalias"
done
call postrm remove
same "a removal deletes this weir's interfaces" 'ip link delete weir0 ip link delete wt1' "$(grep '^ip' "$dir/said" | xargs)"
same "and its shared memory" 1 "$([ -e "$dir/run/weir" ]; echo $?)"
: >"$dir/said"
call postrm purge
same "a purge knows of none" '' "$(grep '^ip' "$dir/said")"
same "and starts no card at boot" weir-announce.service "$(ls "$wants")"
same "and nothing is learned" 1 "$([ -e "$dir/var/lib/weir" ]; echo $?)"
[ $bad = 0 ] || cat "$dir/printed"
[ $bad = 0 ]
