#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The two processes as two users of one group: each makes its files alone, with the modes of docs/reference/files.md, and
# the other one can read what it needs and neither write, delete nor replace it. Also with the regions in /dev/shm.
. "$(dirname "$0")/_init.sh"

dp=64001 cp=64002 group=64000
run=/run/weir
as() { echo "setpriv --reuid $1 --regid $group --clear-groups --inh-caps=-all,$2 --ambient-caps=-all,$2 --bounding-set=-all,$2"; }
both() { "$lab" "$1" controlplane && "$lab" "$1" dataplane; }

# two_users: what an administrator does before the first start
two_users() {
	find -H $run -maxdepth 1 \( -type f -o -name dpdk -o -name control \) -exec rm -rf {} +
	chown -R $cp:$group $run/lab/state && chown root:$group $run && chmod 3770 $run
	install -d -o $cp -g $group -m 2750 $run/control
	WEIR_DATAPLANE="$(as $dp +net_admin,+net_raw) $WEIR_BUILD/dataplane/weir-dataplane"
	WEIR_CONTROLPLANE="$(as $cp +net_bind_service) $WEIR_BUILD/controlplane/weir-controlplane"
	export WEIR_DATAPLANE WEIR_CONTROLPLANE
}
# files FOLDER...: name, type, mode and owner of each, numbers apart
files() {
	find -H "$@" -mindepth 1 -maxdepth 1 ! -name lab ! -name 'heap-auto-*' -printf '%f %y %m %U:%G\n' | sed -E 's/\.[0-9.]+ / /' | sort -u
}
served() {
	eventually resolves "ok.$2.test"
	same "$1: a missed name" 198.18.200.1 "$(short "ok.$2.test" A)"
	same "$1: a cached name" 198.18.200.1 "$(short "ok.$2.test" A)"
	check "$1: a blocked name" eventually blocks
}
# can_touch UID PATTERN: files in /run and /dev/shm of weir that this user can open for writing, cut off, rename, link
# over or delete, apart from PATTERN
can_touch() {
	$python - "$1" "$2" <<-'EOF'
		import os, re, sys
		uid, spared = int(sys.argv[1]), re.compile(sys.argv[2])
		os.setgroups([]); os.setresgid(64000, 64000, 64000)
		os.setresuid(uid, uid, uid)
		folders = ["/run/weir", "/run/weir/control"] + ["/dev/shm/" + f for f in os.listdir("/dev/shm")]
		seen = 0
		for folder in folders:
		    try: names = os.listdir(folder)
		    except OSError: continue
		    for name in names:
		        path = os.path.join(folder, name)
		        if os.lstat(path).st_uid == uid or name == "lab": continue
		        seen += 1
		        for what, act in {
		            "write": lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)),
		            "cut off": lambda: os.truncate(path, 0),
		            "chmod": lambda: os.chmod(path, 0o666),
		            "rename": lambda: os.rename(path, path + ".x"),
		            "delete": lambda: os.unlink(path)}.items():
		            if what in ("write", "cut off") and spared.match(name): continue
		            try: act()
		            except OSError: continue
		            print(name, what)
		if seen < 4: print("only", seen, "files of the other user")
	EOF
}

lab_up
check "both stopped" both stop
two_users
mark
check "control plane first" both start
check "the data plane's user can read the version in force" eventually eval 'log_since dataplane | grep -q "configuration: version [0-9]"'
check "no version was left out" eval '! log_since dataplane | grep -q "version not used"'
served "control plane first" one
want="control d 2750 $cp:$group
dataplane.lock f 640 $dp:$group
dpdk d 700 $dp:$group
marks f 660 $dp:$group
reader f 640 $dp:$group
rings f 640 $dp:$group
stats f 640 $dp:$group"
same "owners and modes" "$want" "$(files $run | sed 's/^dpdk d [0-9]*/dpdk d 700/')"
want="answers f 640 $cp:$group
control.sock s 600 $cp:$group
controlplane.lock f 640 $cp:$group
directory f 640 $cp:$group
instance f 644 $cp:$group
l0 f 640 $cp:$group
link.sock s 660 $cp:$group
log.in-hand f 600 $cp:$group
policy f 640 $cp:$group
rule_image f 640 $cp:$group"
same "the control plane's are in its own folder" "$want" "$(files $run/control)"
same "the data plane can touch nothing of the control plane" "" "$(can_touch $dp '^link.sock$')"
same "the control plane can touch nothing of the data plane but marks" "" "$(can_touch $cp '^marks')"

for who in controlplane dataplane; do
	check "$who killed" "$lab" kill $who
	check "$who started again" "$lab" start $who
	served "after the kill of $who" "kill-$who"
done
echo other.test >>"$list"
check "reloaded" taken_over weirctl config reload
check "a name of the new list is blocked" eventually blocks other.test
# Marks that the other user cuts off cost heat and no process.
before=$(pid dataplane)
setpriv --reuid $cp --regid $group --clear-groups truncate -s 0 $run/marks.0.*
served "with marks that the control plane cut off" marks
same "the data plane still runs" "$before" "$(pid dataplane)"

# A user that can read the lock of the other one holds a read lock on it.
check "both stopped" both stop
setpriv --reuid $dp --regid $group --clear-groups $python -c '
import fcntl, os, struct, time
fd = os.open("/run/weir/control/controlplane.lock", os.O_RDONLY)
fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
open("/run/weir/held", "w").close()
time.sleep(600)' &
holder=$!
eventually test -e $run/held
held=$(stat -c %i $run/control/controlplane.lock)
check "data plane first, and a read lock on the other's lock" bash -c "'$lab' start dataplane && '$lab' start controlplane"
kill $holder
check "which the control plane has made again" test "$held" != "$(stat -c %i $run/control/controlplane.lock)"
served "data plane first" two

# Names that the other user took first, in the gap of a restart.
check "both stopped" "$lab" stop controlplane
mapfile -t names < <(find $run/control -mindepth 1 -printf '%f\n' && echo control.sock && echo link.sock && echo "instance.new.$cp")
check "there are names to take" test ${#names[@]} -ge 10
as_dp() { setpriv --reuid $dp --regid $group --clear-groups "$@"; }
as_dp mkdir "${names[@]/#/$run/}"
same "the data plane can take them beside the folder" ${#names[@]} "$(cd $run && ls -d "${names[@]}" | wc -l)"
check "and none in it" eval '! as_dp touch "${names[@]/#/$run/control/x.}" && ! as_dp mv $run/control $run/gone'
check "the control plane starts" "$lab" start controlplane
served "with its names taken" taken
check "both stopped" both stop
check "both start" both start
served "again" again
check "both stopped" both stop
(cd $run && rmdir "${names[@]}")
rm -f $run/stats
setpriv --reuid $cp --regid $group --clear-groups touch $run/stats
"$lab" start dataplane >/dev/null 2>&1
check "statistics of the control plane are refused" grep -q "stats: belongs to uid $cp, but only this process" $run/lab/dataplane.log
rm -f $run/stats
check "without them both start" both start
served "without them" three

# The runtime directory on a disk: regions are in /dev/shm, in a folder of each user.
check "both stopped" both stop
disk=$(mktemp -d /var/tmp/weir-users.XXXXXX)
trap 'rm -rf "$disk"' EXIT
cp -a $run/lab "$disk" && mount --bind "$disk" $run || exit 1
two_users
check "data plane first, on a disk" bash -c "'$lab' start dataplane && '$lab' start controlplane"
served "on a disk" disk
same "a folder for each user" "run-weir.cp d 2750 $cp:$group
run-weir.dp d 2750 $dp:$group" "$(files /dev/shm | sed -E 's/[.][0-9a-f]{16} / /')"
same "with the regions of each" "answers f 640 $cp:$group
directory f 640 $cp:$group
l0 f 640 $cp:$group
lock f 600 $dp:$group
lock f 600 $cp:$group
log.in-hand f 600 $cp:$group
marks f 660 $dp:$group
policy f 640 $cp:$group
reader f 640 $dp:$group
rings f 640 $dp:$group
rule_image f 640 $cp:$group
run l 777 $dp:$group
run l 777 $cp:$group
stats f 640 $dp:$group" "$(files /dev/shm/run-weir.*)"
same "the data plane can touch nothing of the control plane" "" "$(can_touch $dp '^link.sock$')"
same "the control plane can touch nothing of the data plane but marks" "" "$(can_touch $cp '^marks')"
for who in controlplane dataplane; do
	check "$who killed" "$lab" kill $who
	check "$who started again" "$lab" start $who
	served "on a disk, after the kill of $who" "disk-$who"
done
check "both stopped" both stop
umount $run
finish
