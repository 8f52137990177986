#!/usr/bin/env bash
# A real Apache Kafka on this machine's loopback: one KRaft node, broker and controller, on Java 17 or later.
#
#   kafka.sh fetch|start|stop|status [--dir DIR] [--port N]
#
# `fetch` gets Kafka with Maven into the cache ($PULSEWIRE_CACHE, else ~/.cache/pulsewire); `start` fetches it if need be,
# formats DIR the first time, and returns when the broker answers; `stop` lets it finish its files. Several instances may
# run, each with a DIR and a port of its own. PULSEWIRE_KAFKA_HEAP sets the heap (default 512m), JAVA_HOME picks the Java.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
cache=${PULSEWIRE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pulsewire}
home=${PULSEWIRE_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/pulsewire}
kafka=$cache/kafka-$version
start_seconds=90
stop_seconds=30

say() { printf 'kafka: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}
usage() {
  sed -n '4p' "${BASH_SOURCE[0]}" | sed 's/^# */usage: /' >&2
  [ $# -eq 0 ] || say "$*"
  exit 64
}

java_program() {
  local java=${JAVA_HOME:+$JAVA_HOME/bin/}java line major
  command -v "$java" >/dev/null || fail "no Java found: install a Java 17 runtime (or later), or point JAVA_HOME at one"
  line=$("$java" -version 2>&1 | grep -m1 version) || fail "$java does not tell its version"
  major=$(sed -E 's/.*version "(1\.)?([0-9]+).*/\2/' <<<"$line")
  [[ $major =~ ^[0-9]+$ ]] && [ "$major" -ge 17 ] || fail "Kafka $version needs Java 17 or later; $java says: $line"
  printf '%s' "$java"
}

fetch() {
  [ -d "$kafka" ] && return 0
  command -v mvn >/dev/null || fail "no mvn found: Kafka comes through Maven; install Maven 3.8 or later"
  mkdir -p "$cache"
  local staging log began=$SECONDS
  # A cut fetch leaves only a folder that nobody reads and that the next fetch removes.
  find "$cache" -maxdepth 1 -name "kafka-$version.part-*" -mmin +60 -exec rm -rf {} +
  staging=$(mktemp -d "$cache/kafka-$version.part-XXXXXX")
  log=$staging.log
  say "fetching Apache Kafka $version (about 45 MB)"
  if ! mvn -q -B -C -U -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$staging/libs" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -rf "$staging" "$log"
    fail "Maven could not get Kafka $version (its words are above); run this again once it can reach its repository"
  fi
  rm -f "$log"
  # Another fetch may have come first: its copy is as good.
  if [ -d "$kafka" ]; then rm -rf "$staging"; else mv "$staging" "$kafka"; fi
  say "fetched in $((SECONDS - began)) s: $kafka"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The running server's process id, or nothing. A stale file that names a stranger's process does not count.
running() {
  local pid
  pid=$(cat "$dir/server.pid" 2>/dev/null) || return 1
  ps -o args= -p "$pid" 2>/dev/null | grep -qF -- "$dir/server.properties" || return 1
  printf '%s' "$pid"
}

# Outside the range that systems hand to outgoing connections, so that it stays free until the server binds it.
free_port() {
  local port
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 10000))
    answers "$port" || { printf '%s' "$port" && return 0; }
  done
  fail "no free port for the controller between 20000 and 29999"
}

write_properties() {
  local controller=$1
  cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data

# Topics: created on first use, and large texts pass.
auto.create.topics.enable=true
num.partitions=4
message.max.bytes=16777216
replica.fetch.max.bytes=16777216

# One node: one copy of everything, and few partitions of the internal topics.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4

# Groups form at once, and a dead member is noticed within the session timeout that its consumer asks for.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

# Small: the cleaner's buffer alone would be 128 MiB.
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
background.threads=2
PROPERTIES
}

start() {
  local java pid controller began=$SECONDS
  if pid=$(running); then
    say "already running as process $pid in $dir"
    return 0
  fi
  java=$(java_program)
  answers "$port" && fail "port $port is taken by another program: choose one with --port"
  fetch
  mkdir -p "$dir"
  controller=$(free_port)
  write_properties "$controller"
  rm -f "$dir/server.log" "$dir/server.pid"
  local options=(-cp "$kafka/libs/*" "-Dlog4j2.configurationFile=$here/log4j2.properties"
    "-Dpulsewire.kafka.directory=$dir" -Djava.awt.headless=true -XX:+UseSerialGC)
  if [ ! -f "$dir/data/meta.properties" ]; then
    # A cluster id is 16 random bytes in URL-safe base64; a leading dash would be read as a flag.
    local id
    id=k$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=' | cut -c 2-)
    "$java" -Xmx128m -XX:TieredStopAtLevel=1 "${options[@]}" kafka.tools.StorageTool format \
      --cluster-id "$id" --config "$dir/server.properties" >"$dir/format.log" 2>&1 ||
      { tail -n 5 "$dir/format.log" >&2 && fail "cannot format $dir/data (see above)"; }
  fi
  nohup "$java" "-Xmx${PULSEWIRE_KAFKA_HEAP:-512m}" "${options[@]}" kafka.Kafka "$dir/server.properties" \
    >"$dir/console.log" 2>&1 </dev/null &
  pid=$!
  printf '%s\n' "$pid" >"$dir/server.pid"
  until grep -qs 'Kafka Server started' "$dir/server.log" && answers "$port"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      tail -n 5 "$dir/console.log" "$dir/server.log" >&2 || true
      rm -f "$dir/server.pid"
      fail "the server ended while it started (see above, and $dir/server.log)"
    fi
    if [ $((SECONDS - began)) -ge $start_seconds ]; then
      kill -KILL "$pid"
      rm -f "$dir/server.pid"
      fail "the server did not answer within $start_seconds s: see $dir/server.log"
    fi
    sleep 0.1
  done
  say "Kafka $version answers at 127.0.0.1:$port (process $pid, files in $dir)"
}

stop() {
  local pid waited=0
  if ! pid=$(running); then
    rm -f "$dir/server.pid"
    say "not running in $dir"
    return 0
  fi
  kill -TERM "$pid"
  while kill -0 "$pid" 2>/dev/null; do
    if [ $waited -ge $((stop_seconds * 10)) ]; then
      say "process $pid did not end within $stop_seconds s: killing it"
      kill -KILL "$pid"
      break
    fi
    sleep 0.1
    waited=$((waited + 1))
  done
  rm -f "$dir/server.pid"
  say "stopped"
}

status() {
  local pid
  pid=$(running) || { say "not running in $dir" && return 1; }
  say "running as process $pid, $(sed -n 's/^advertised.listeners=PLAINTEXT:..//p' "$dir/server.properties"), files in $dir"
}

command=${1:-}
[ -n "$command" ] && shift
dir=$home/kafka
port=9092
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage "$1 needs a value"
  case $1 in
    --dir) dir=$2 ;;
    --port) port=$2 ;;
    *) usage "unknown option $1" ;;
  esac
  shift 2
done
[[ $port =~ ^[0-9]{1,5}$ ]] && [ "$port" -ge 1 ] && [ "$port" -le 65535 ] || usage "--port $port is not a port number"
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac

case $command in
  fetch) java_program >/dev/null && fetch ;;
  start | stop | status) "$command" ;;
  '') usage ;;
  *) usage "unknown command $command" ;;
esac
