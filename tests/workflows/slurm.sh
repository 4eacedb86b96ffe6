#!/bin/sh
# A Slurm of one node, for the tests: this machine, daemons and state of its own.
#
#   slurm.sh start FOLDER     installs slurm-wlm and munge where they are not there (Debian, Ubuntu)
#   slurm.sh stop FOLDER
#
# FOLDER/env has to be sourced to use it. Nothing outside FOLDER is written: a Slurm or munge that
# the machine has is left alone. Jobs are not held to their memory, for which control groups would be needed.
set -eu

PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)

fail() { echo "slurm.sh: $*" >&2; exit 1; }

# Slurm's commands say so when they are given a port that is taken.
free_ports() {
    python3 -c 'import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("", 0))
print(*(s.getsockname()[1] for s in sockets))'
}

write_conf() { # controller's port, node's port
    # Half of the memory is what a node may give away: other people's programs have the rest. Processors
    # are given away whether or not they are there, so that jobs wait for each other, not for ever.
    memory=$(awk '/^MemTotal/ { print int($2 / 2048) }' /proc/meminfo)
    cat > "$folder/slurm.conf" <<CONF
ClusterName=quell
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$2
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
CredType=cred/munge
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=1000
PriorityType=priority/basic
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
MinJobAge=600
KillWait=30
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=16 RealMemory=$memory State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

# Snakemake's plugin takes SLURM_CONF from the environment of srun: on a cluster it is in /etc/slurm.
write_srun() {
    mkdir -p "$folder/bin"
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$folder/slurm.conf" "$(command -v srun)" > "$folder/bin/srun"
    chmod +x "$folder/bin/srun"
}

# munged wants folders that nobody else can write to; --force lets it run where FOLDER is not so.
start_munge() {
    dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 2>/dev/null
    chmod 600 "$folder/munge.key"
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --num-threads=2 \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" \
        2> "$folder/munged.said" || { cat "$folder/munged.said" >&2; fail "munged does not start"; }
}

idle() { sinfo -h -o %T 2>/dev/null | grep -qx idle; }

wait_until_idle() {
    for _ in $(seq 60); do
        idle && return 0
        sleep 1
    done
    tail -n 5 "$folder/slurmctld.log" "$folder/slurmd.log" >&2
    fail "the node does not come up within a minute"
}

start() {
    sh "$here/../../tools/install-deps.sh" slurm || fail "slurm-wlm and munge are needed"
    mkdir -p "$folder/state" "$folder/spool"
    # shellcheck disable=SC2046 # two words
    write_conf $(free_ports)
    write_srun
    export SLURM_CONF="$folder/slurm.conf"
    printf 'export SLURM_CONF=%s\nexport PATH=%s:$PATH\n' "$folder/slurm.conf" "$folder/bin" > "$folder/env"
    start_munge
    slurmctld -c || fail "slurmctld does not start"
    slurmd -c || fail "slurmd does not start"
    wait_until_idle
    echo "slurm.sh: $(sinfo --version), a node with $(sinfo -h -o '%c processors and %m MiB')"
}

end_process() { # file with its number
    [ -f "$1" ] || return 0
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

stop() {
    export SLURM_CONF="$folder/slurm.conf"
    [ ! -f "$folder/slurmctld.pid" ] || scancel --me 2>/dev/null || true
    for daemon in slurmd slurmctld munged; do end_process "$folder/$daemon.pid"; done
}

[ $# -eq 2 ] || fail "slurm.sh start|stop FOLDER"
mkdir -p "$2"
folder=$(cd "$2" && pwd)
case $1 in
    start) start ;;
    stop) stop ;;
    *) fail "start or stop?" ;;
esac
