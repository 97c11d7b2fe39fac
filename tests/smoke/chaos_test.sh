#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The short form of tools/chaos: five kills of either process under load. (It makes its namespaces itself.)
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for process in controlplane dataplane; do
	"$root/tools/chaos" kill --times 5 --process $process --seed 1 || exit
done
