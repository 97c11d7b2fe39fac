# SPDX-License-Identifier: BSD-3-Clause
"""`weirctl import`: the configuration of another resolver as one of weir. tools/import/README.md says how it is made."""
