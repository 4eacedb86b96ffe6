#!/bin/sh
# Get Nextflow for the tests of workflows/nextflow: its jars from Maven Central, once.
#
#   get-nextflow.sh FOLDER
#
# FOLDER/nextflow then runs it. Every jar must have the sha256 that tools/nextflow-jars.txt names.
# Without Java 17 or Maven Central a line says so, FOLDER/missing.txt holds it, and nothing fails.
# MAVEN_CENTRAL is the address of a mirror.
set -u

folder=$1
list=$(dirname "$0")/nextflow-jars.txt
central=${MAVEN_CENTRAL:-https://repo1.maven.org/maven2}

missing() { # why
    rm -f "$folder/nextflow"
    echo "$1" > "$folder/missing.txt"
    echo "skipped: tests of the Nextflow workflow ($1)"
    exit 0
}

java_version() {
    java -version 2>&1 | sed -n 's/^.* version "\([0-9]*\).*/\1/p' | head -n 1
}

jars_are_right() {
    (cd "$folder/jars" && sed -n 's|^\([0-9a-f]*\)  .*/|\1  |p' "$list" | sha256sum -c --quiet --status) 2>/dev/null
}

# A jar has its final name only when it is complete.
get_jars() {
    sed -n 's|^[0-9a-f]*  ||p' "$list" | CENTRAL=$central JARS=$folder/jars xargs -n 1 -P 6 sh -c '
        jar=$JARS/${0##*/}
        test -f "$jar" && exit 0
        curl -fsSL --retry 2 --connect-timeout 15 --max-time 300 -o "$jar.part" "$CENTRAL/$0" && mv "$jar.part" "$jar"'
}

write_launcher() {
    {
        echo '#!/bin/sh'
        echo '# Nextflow from its jars: no installer, no plugins, no network.'
        echo 'folder=$(cd "$(dirname "$0")" && pwd)'
        echo 'export NXF_OFFLINE=true NXF_PLUGINS_DEFAULT=false NXF_DISABLE_CHECK_LATEST=true NXF_ANSI_LOG=false'
        printf 'exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1'
        for package in java.lang java.io java.nio java.net java.util java.util.regex java.util.concurrent.locks \
            java.util.concurrent.atomic java.nio.file.spi sun.nio.ch sun.nio.fs sun.net.www.protocol.http \
            sun.net.www.protocol.https sun.net.www.protocol.ftp sun.net.www.protocol.file jdk.internal.misc jdk.internal.vm; do
            printf ' \\\n    --add-opens=java.base/%s=ALL-UNNAMED' "$package"
        done
        echo ' \'
        echo '    -cp "$folder/jars/*" nextflow.cli.Launcher "$@"'
    } > "$folder/nextflow.part"
    chmod +x "$folder/nextflow.part"
    mv "$folder/nextflow.part" "$folder/nextflow"
}

case $list in /*) ;; *) list=$PWD/$list ;; esac
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
mkdir -p "$folder/jars" || exit 1
version=$(java_version)
[ "${version:-0}" -ge 17 ] || missing "Java 17 or later is needed: openjdk-17-jre-headless"
if ! jars_are_right; then
    echo "getting Nextflow from $central into $folder (40 MB)"
    get_jars || missing "$central cannot be reached"
    if ! jars_are_right; then
        rm -rf "$folder/jars"
        echo "$folder/jars: a jar from $central is not the one that tools/nextflow-jars.txt names; removed" >&2
        exit 1
    fi
fi
rm -f "$folder/missing.txt"
write_launcher
