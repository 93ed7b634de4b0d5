#!/bin/bash
# Installs Debian's SLURM for the tests of tests/cluster, where that can be done; says why where it cannot. Never fails:
# the tests themselves say that they were skipped, and fail where VITIQ_REQUIRE_SLURM=1.
wanted="slurmctld slurmd sbatch munged ip unshare"
missing=$(for command in $wanted; do command -v "$command" >/dev/null || echo "$command"; done)
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; then
        echo "Installing slurm-wlm and munge for the cluster tests"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge iproute2; } >/dev/null 2>&1 ||
            echo "apt-get could not install them: the cluster tests are skipped"
    else
        echo "No SLURM here, and no root on Debian to install it: the cluster tests are skipped"
    fi
fi
exit 0
