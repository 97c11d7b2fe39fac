#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The short form of tools/chaos: five kills of either process under load, some of both and of one beside the other that
# is stopped, of a control plane with two resolvers and two frontends, and what is kept over kills of both. (It makes its namespaces itself.)
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for process in controlplane dataplane; do
	"$root/tools/chaos" kill --times 5 --process $process --seed 1 || exit
done
for process in both stopped; do
	"$root/tools/chaos" kill --times 2 --process $process --seed 1 || exit
done
"$root/tools/chaos" kill --times 2 --process controlplane --resolvers 2 --frontends 2 --seed 1 || exit
"$root/tools/chaos" kept --times 2 --process both --names 3000 --seed 1
