#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A configuration of several files: both processes read them behind their filters, a reload sees each change of them and each new
# file, an error names the file that it is in, and what is refused changes nothing.
. "$(dirname "$0")/_init.sh"

folder=/run/weir/lab/conf.d
refused() { ! weirctl config reload >$tmp/reload.out 2>&1; }
says() { grep -qF -- "$1" $tmp/reload.out || { cat $tmp/reload.out && false; }; }
# blocked NAME: the rules of the reload block it
blocked() { eventually blocks "$1"; }
# settle: from then on a file that does not change shows that it did not
settle() { sleep 3; }
is_unknown() { ! blocks "$1"; }

lab_up
mkdir $folder
# The ports stand in a file of their own, which the data plane reads at its start.
awk '/^[a-z]/ { of = $1 } of == "dataplane:"' $config >$folder/00-ports.yaml
awk '/^[a-z]/ { of = $1 } of != "dataplane:"' $config >$tmp/rest.yaml
check "the ports" grep -q service_addresses $folder/00-ports.yaml
{ echo 'version: 1' && echo 'include: ["conf.d/*.yaml"]' && cat $tmp/rest.yaml; } >$config
echo 'blocking: {deny: [first.test]}' >$folder/20-deny.yaml
check "the files are good" weirctl config check
same "and counted" "$config with 2 included files: good" "$(weirctl config check)"
same "and named" "00-ports.yaml 20-deny.yaml" "$(weirctl --json config check | jq -r '[.included[] | sub(".*/"; "")] | join(" ")')"
same "a reload reads them, and the ports are the same ports" reloaded "$(weirctl config reload)"
check "and what they say is in force" blocked first.test

settle
check "nothing has changed" weirctl config reload
echo 'blocking: {deny: [second.test]}' >$folder/30-deny.yaml
check "a new file" weirctl config reload
check "is read" blocked second.test
settle
check "nothing has changed again" weirctl config reload
echo 'blocking: {deny: [third.test]}' >$folder/30-deny.yaml
check "an edited file" weirctl config reload
check "is read, too" blocked third.test
check "and what it no longer says is over" eventually is_unknown second.test
settle
check "nothing has changed once more" weirctl config reload
rm $folder/30-deny.yaml
check "a file that is gone" weirctl config reload
check "counts no more" eventually is_unknown third.test
check "the others do" blocked first.test

echo 'cache: {min_ttl: 4x}' >$folder/40-bad.yaml
check "a bad value is refused" refused
check "in its file" says "cache.min_ttl: \"4x\" is not a whole number ($folder/40-bad.yaml:1:9)"
printf 'blocking:\n  enabled: true\n' >$folder/40-bad.yaml
printf 'blocking: {enabled: true}\n' >$folder/50-bad.yaml
check "a value in two files is refused" refused
check "with both places" says "blocking.enabled: has a value in another file, too: $folder/40-bad.yaml:2:3 ($folder/50-bad.yaml:1:12)"
rm $folder/50-bad.yaml
echo 'include: [conf.d/20-deny.yaml]' >$folder/40-bad.yaml
check "an included file that includes is refused" refused
check "where it does" says "include: is not possible in an included file: move it to the file that includes this one ($folder/40-bad.yaml:1:1)"
rm $folder/40-bad.yaml
sed -i 's/^version: 1/version: 2/' $config
check "a newer version is refused" refused
check "with its number" says "version: 2 is newer than this weir, which knows version 1"
check "where it stands" says "($config:1:1)"
check "what was in force is still" blocks first.test
check "weirctl finds the service all the same" weirctl status
sed -i 's/^version: 2/version: 1/' $config
check "good again" weirctl config reload

echo 'blocking: {deny: [fourth.test]}' >$folder/30-deny.yaml
for process in controlplane dataplane; do
	check "$process: stopped" "$lab" stop $process
	check "$process: starts with all files" "$lab" start $process
done
check "it answers" eventually resolves ok-3000.restarted.test
check "by all files" blocked fourth.test
echo 'dataplane: [' >$folder/00-ports.yaml
check "the data plane is stopped" "$lab" stop dataplane
check "it starts with a broken file" "$lab" start dataplane
check "by the version in force" blocked fourth.test
check "and names the file" grep -qF "($folder/00-ports.yaml:2:1)" /run/weir/lab/dataplane.log
finish
