#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Secrets of a systemd credential and of the environment: the control plane needs them, at its start and behind its filter at a
# reload; the data plane and weirctl do without; and nothing that weir writes has them.
. "$(dirname "$0")/_init.sh"

secret=5ec2e7005ec2e7015ec2e7025ec2e703
log=/run/weir/lab/controlplane.log
# uses VALUE: the secrets of cookies come from there
uses() { echo "cookies: {secret_file: '$1'}" >/run/weir/lab/secrets.yaml; }
refused() { ! weirctl config reload >$tmp/reload.out 2>&1; }
stopped() { "$lab" stop controlplane; }

lab_up
install -d -m 0500 $tmp/credentials
echo $secret >$tmp/credentials/cookies
uses credential:cookies
sed -i '1i include: [secrets.yaml]' $config
check "weirctl has no credential, and finds the configuration good" weirctl config check
check "a reload of a control plane without it is refused" refused
check "which says why" grep -q "cookies.secret_file: this process was started without that systemd credential (/run/weir/lab/secrets.yaml:1:11)" $tmp/reload.out
check "it still answers" eventually resolves ok-3000.kept.test
check "stopped" stopped
check "a start without it is on the version before" "$lab" start controlplane
check "which answers" eventually resolves ok-3000.without.test
check "and says why" grep -q "started without that systemd credential" $log

export CREDENTIALS_DIRECTORY=$tmp/credentials
check "stopped once more" stopped
check "a start with it" "$lab" start controlplane
check "answers" eventually resolves ok-3000.credential.test
echo '# an edit' >>$config
check "a reload reads it again, behind the filter" weirctl config reload
echo 0$secret >$tmp/credentials/cookies
echo '# another one' >>$config
check "a bad secret is refused" refused
check "and not repeated" grep -q "cookies.secret_file: a secret is 32 hexadecimal digits (16 bytes)" $tmp/reload.out
echo $secret >$tmp/credentials/cookies

uses env:WEIR_COOKIES
check "a reload of a control plane without the variable is refused" refused
check "and says so" grep -q "started without that variable of the environment" $tmp/reload.out
check "stopped again" stopped
export WEIR_COOKIES=$secret
check "a start with the variable" "$lab" start controlplane
check "answers, too" eventually resolves ok-3000.variable.test
echo '# a third one' >>$config
check "a reload sees it" weirctl config reload
check "the data plane starts without any" eval '"$lab" stop dataplane && env -u WEIR_COOKIES -u CREDENTIALS_DIRECTORY "$lab" start dataplane'
check "and answers" eventually resolves ok-3000.dataplane.test
check "a start without the variable" eval '"$lab" stop controlplane && env -u WEIR_COOKIES "$lab" start controlplane'
check "is on an older version" eventually resolves ok-3000.older.test
check "and says what to do" eval 'weirctl ready --for human | grep -A 2 "a newer one was not used" | grep -q "or the secret that is missing"'

for what in status toggles errors "config check" "mem tables" "mem accounts" metrics; do
	weirctl $what && weirctl --json $what || echo "$what" >>$tmp/failed
done >$tmp/outputs 2>&1
check "all outputs are there" test ! -e $tmp/failed
check "the outputs do not have it" eval '! grep -qi 5ec2e70 $tmp/outputs $tmp/reload.out'
check "nor do the logs" eval '! grep -qi 5ec2e70 /run/weir/lab/*.log'
check "nor the arguments of the processes" eval '! grep -qi 5ec2e70 /proc/$(pid controlplane)/cmdline /proc/$(pid dataplane)/cmdline'
finish
