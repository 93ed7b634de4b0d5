#!/bin/bash
# Runs a command on a private SLURM of this one machine, and ends both with it.
#
#   one_node.sh FOLDER COMMAND...      as root, with Debian's slurm-wlm and munge
#
# Everything happens in namespaces of its own: a network with nothing but loopback, so that no daemon can be reached from
# outside or meets another; processes that the kernel kills with their first; and a hosts file that only they see.
set -euo pipefail
if [ "${1:-}" != --inside ]; then
    exec unshare --net --mount --fork --pid --mount-proc --kill-child "$0" --inside "$@"
fi
shift
folder=$(realpath -m "$1")
shift
host=$(hostname -s)
mkdir -p "$folder"/{state,spool,log}
chmod 755 "$folder"

# SLURM's commands hang in name resolution unless the machine has an address that is not of the loopback network.
ip link set lo up
ip address add 192.0.2.77/32 dev lo
{ cat /etc/hosts; echo "127.0.0.1 $host"; } >"$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts

head -c 1024 /dev/urandom >"$folder/munge.key"
chmod 400 "$folder/munge.key"
cat >"$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.sock
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
SrunPortRange=16900-16999
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=10
MinJobAge=3600
MessageTimeout=30
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=100000
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$(($(awk '/MemTotal/{print $2}' /proc/meminfo) / 1024 - 512)) State=UNKNOWN
PartitionName=debug Nodes=$host Default=YES MaxTime=60:00 OverSubscribe=YES State=UP
CONF
export SLURM_CONF=$folder/slurm.conf

munged --force --key-file="$folder/munge.key" --socket="$folder/munge.sock" --pid-file="$folder/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
slurmctld -c -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"
for _ in $(seq 100); do
    timeout -k 1 5 sinfo --noheader --format=%T 2>/dev/null | grep -q '^idle' && break
    sleep 0.1
done
timeout -k 1 5 sinfo --noheader --format=%T | grep -q '^idle' || {
    echo "one_node.sh: no node became idle" >&2
    tail -n 20 "$folder"/log/*.log >&2
    exit 70
}
"$@"
