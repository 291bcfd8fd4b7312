#!/usr/bin/env bash
# kafka.sh start [--for PID] | release PID | stop | status | info
# A real single-node Apache Kafka (KRaft) from its Maven Central artefacts. Needs Java 17+ and, the first time, Maven.
# Prints the bootstrap address once the broker answers; one that already runs from the same folder is used again.
# Without --for it runs until `stop`. The log and the pid lie in $KAFKA_DIR.
# env: KAFKA_PORT (else the first free one from 19092; the controller takes the port + 1000), KAFKA_DIR (data; wiped at
#      start unless KEEP=1), KAFKA_LIBS (jars, downloaded once), KAFKA_PROPS (extra lines for server.properties),
#      KAFKA_JAVA_OPTS, KAFKA_SECURED=1 (SASL_SSL and an authorizer, see below)
# KAFKA_SECURED=1: TLS by an authority of its own, PLAIN and SCRAM, ACLs enforced, in a data folder of its own. Under
# $KAFKA_DIR/secured lie ca.pem and users (name:password lines, mode 0600): admin (PLAIN; may do all), plain (PLAIN),
# scram (SCRAM-SHA-256 and -512). The last two may do nothing until ACLs say so. Needs openssl.
set -euo pipefail
# shellcheck source=deploy/local/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
version=4.3.1
port=${KAFKA_PORT:-}
libs=${KAFKA_LIBS:-$cache/kafka-$version}
secured=${KAFKA_SECURED:-}
dir=${KAFKA_DIR:-$cache/kafka-data${port:+-$port}${secured:+-secured}}
leases=$dir/users
parse "$@"

pid() { cat "$dir/pid" 2> /dev/null || true; }
alive() { runs "$(pid)" "$dir/server.properties"; }
stop() {
  alive || return 0
  kill "$(pid)"
  for _ in $(seq 200); do alive || return 0; sleep 0.1; done
  say 'the broker does not end: killed'
  kill -9 "$(pid)"
}

fetch() {
  [ ! -e "$libs/.complete" ] || return 0
  command -v mvn > /dev/null || die 'Maven is not installed (apt-get install maven), and Kafka is not downloaded yet.' \
    'Or start a broker of your own and set KAFKA_BROKERS.'
  say "downloading Apache Kafka $version from Maven Central (45 MB, once)"
  mkdir -p "$libs"
  cat > "$libs/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <!-- without a binding of slf4j 1.7 to the log4j2 that kafka brings, the broker logs nothing -->
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
    <!-- ConsoleConsumer, ConsoleProducer, ProducerPerformance, ConsumerPerformance -->
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version>
      <exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId></exclusion>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-api</artifactId></exclusion></exclusions></dependency>
  </dependencies></project>
POM
  mvn -B -q -f "$libs/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DoutputDirectory="$libs" >&2 9>&- < /dev/null ||
    die "Apache Kafka could not be downloaded from Maven Central (see above). Check the network, or name a mirror in" \
      "Maven's settings.xml, and try again: what has arrived is kept. Or start a broker of your own and set KAFKA_BROKERS."
  touch "$libs/.complete"
}

configure() { # port
  [ -z "$secured" ] || umask 077 # passwords stand in the settings
  mkdir -p "$dir"
  cat > "$dir/log4j2.xml" <<'XML'
<Configuration status="error"><Appenders><Console name="C"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
<Loggers><Logger name="kafka.server.KafkaRaftServer" level="info"/><Root level="warn"><AppenderRef ref="C"/></Root></Loggers></Configuration>
XML
  cat > "$dir/server.properties" <<PROPS
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$(($1 + 1000))
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$(($1 + 1000))
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
PROPS
  [ -z "$secured" ] || secure "$1" >> "$dir/server.properties"
  printf '%b\n' "${KAFKA_PROPS:-}" >> "$dir/server.properties"
}

# Makes an authority, a certificate and users; prints the settings, of which the last of a name counts.
secure() { # port
  command -v openssl > /dev/null || die 'openssl is not installed: a secured broker needs it (apt-get install openssl).'
  local made=$dir/secured module=org.apache.kafka.common.security
  if [ ! -e "$made/users" ]; then
    mkdir -p "$made"
    chmod 700 "$made"
    (
      umask 077
      cd "$made"
      openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=sentinel-stream local authority' \
        -keyout ca.key -out ca.pem
      openssl req -newkey rsa:2048 -nodes -subj '/CN=127.0.0.1' -keyout server.key -out server.csr
      printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' > server.ext
      openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.crt
      cat server.key server.crt > server.pem
      for user in admin plain scram; do echo "$user:$(password)"; done > users
    ) > "$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; die 'the certificates could not be made'; }
  fi
  local admin plain
  admin=$(user_password admin)
  plain=$(user_password plain)
  cat <<PROPS
listeners=SASL_SSL://127.0.0.1:$1,CONTROLLER://127.0.0.1:$(($1 + 1000))
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:SASL_SSL
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=$module.plain.PlainLoginModule required username="admin" password="$admin" user_admin="$admin";
listener.name.sasl_ssl.plain.sasl.jaas.config=$module.plain.PlainLoginModule required username="admin" password="$admin" user_admin="$admin" user_plain="$plain";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=$module.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$made/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$made/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin
PROPS
}

user_password() { sed -n "s/^$1://p" "$dir/secured/users"; }

# Waits for a broker that was started; 1: it ended, 2: it is not ready in time.
await() {
  for _ in $(seq 1200); do
    grep -q 'Kafka Server started' "$dir/broker.log" 2> /dev/null && return 0
    kill -0 "$(pid)" 2> /dev/null || return 1 # not alive(): just forked, its command line is still this script's
    sleep 0.1
  done
  return 2
}

launch() { # port
  say "starting Apache Kafka $version on 127.0.0.1:$1"
  if [ -z "${KEEP:-}" ] && [ -n "$(ls -A "$dir" 2> /dev/null)" ]; then
    [ -e "$dir/server.properties" ] || die "$dir is not empty and not a data folder of this script: it is not wiped"
    rm -rf "$dir"
  fi
  rm -rf "$leases"
  configure "$1"
  read -ra options <<< "${KAFKA_JAVA_OPTS:--Xms256m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}"
  local kafka=(java "${options[@]}" -Dlog4j2.configurationFile="$dir/log4j2.xml" -cp "$libs/*")
  if [ ! -e "$dir/data/meta.properties" ]; then
    local users=() mechanism
    if [ -n "$secured" ]; then
      for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
        users+=(--add-scram "$mechanism=[name=scram,password=$(user_password scram)]")
      done
    fi
    "${kafka[@]}" kafka.tools.StorageTool format --ignore-formatted -t MkU3OEVBNTcwNTJENDM2Qk -c "$dir/server.properties" "${users[@]}" > "$dir/format.log" 2>&1 ||
      { cat "$dir/format.log" >&2; die "the data folder $dir could not be set up"; }
  fi
  echo "127.0.0.1:$1" > "$dir/address"
  : > "$dir/broker.log"
  local detach=nohup
  command -v setsid > /dev/null && detach=setsid
  "$detach" "${kafka[@]}" kafka.Kafka "$dir/server.properties" >> "$dir/broker.log" 2>&1 < /dev/null 9>&- &
  echo $! > "$dir/pid"
}

start() {
  fetch
  local attempt try=${port:-19092}
  for attempt in 1 2 3 4 5; do
    if [ -n "$port" ]; then
      ! taken "$port" || die "port $port is taken by something else: leave KAFKA_PORT out for a free one, or set KAFKA_BROKERS=127.0.0.1:$port to use it"
    else
      while taken "$try" || taken $((try + 1000)); do try=$((try + 1)); done
    fi
    launch "$try"
    await && return 0
    # between the look and the start somebody else took the port
    if [ -z "$port" ] && [ "$attempt" -lt 5 ] && grep -q BindException "$dir/broker.log"; then stop; try=$((try + 1)); continue; fi
    tail -30 "$dir/broker.log" >&2
    stop
    die "the broker did not come up; its log is $dir/broker.log"
  done
}

case $action in
info)
  echo "version=$version"
  if [ -e "$libs/.complete" ]; then echo downloaded=yes; else echo downloaded=no; fi
  if alive; then echo "running=$(cat "$dir/address")"; else echo running=; fi
  ;;
status) if alive; then cat "$dir/address"; else echo 'not running'; exit 3; fi ;;
stop) lock "$dir.lock"; stop ;;
release) lock "$dir.lock"; if release; then stop; fi ;;
start)
  lock "$dir.lock"
  if alive && await; then
    [ -z "$port" ] || [ "$(cat "$dir/address")" = "127.0.0.1:$port" ] ||
      die "a broker runs from $dir on $(cat "$dir/address"), not on port $port: stop it first, or give another KAFKA_DIR"
  else start; fi
  lease
  cat "$dir/address"
  ;;
*) usage ;;
esac
