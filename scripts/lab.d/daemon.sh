# shellcheck shell=bash
# A libvirtd whose whole state lies in one folder.

# libvirtd needs root: for mount namespaces, and since the paths of its state are fixed when it is compiled.
as_root() {
    [[ $EUID == 0 ]] && return
    command -v sudo >/dev/null || die "a lab needs root" "run as root: $HF_ROOT/scripts/lab $*"
    exec sudo --preserve-env=HAWKFISH_TEST_KVM "$HF_ROOT/scripts/lab" "$@"
}

lab_dir() {
    mkdir -p "$1"
    (cd "$1" && pwd -P)
}

uri_of() { echo "qemu+unix:///system?socket=$1/run/libvirt-sock"; }

# The process id of this lab's libvirtd, if it runs. A pid file alone proves nothing: the id may belong to another by now.
daemon_pid() {
    local pid
    pid=$(cat "$1/run/libvirtd.pid" 2>/dev/null) || return 1
    [[ -n $pid ]] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "libvirtd --daemon --config $1/etc/" || return 1
    # A zombie has ended, whoever may yet collect it.
    [[ $(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) != Z ]] || return 1
    echo "$pid"
}

write_config() {
    local dir=$1
    mkdir -p "$dir"/{etc/qemu/networks/autostart,etc/storage/autostart,run,lib/qemu,cache,log/qemu,images}
    cat >"$dir/etc/libvirtd.conf" <<-CONF
		unix_sock_group = "root"
		unix_sock_ro_perms = "0777"
		unix_sock_rw_perms = "0777"
		auth_unix_ro = "none"
		auth_unix_rw = "none"
		max_clients = 1000
		max_anonymous_clients = 100
		host_uuid = "$(cat "$dir/host_uuid")"
		log_level = 3
		log_outputs = "3:file:$dir/log/libvirtd.log"
	CONF
    # Guests run as root without security drivers, since tests keep images in temporary folders and no tool is there to relabel them.
    # File handles go straight to QEMU, so that no virtlogd is needed; without QEMU namespaces, /dev needs no copying.
    cat >"$dir/etc/qemu.conf" <<-CONF
		security_driver = "none"
		user = "root"
		group = "root"
		dynamic_ownership = 0
		remember_owner = 0
		stdio_handler = "file"
		cgroup_controllers = []
		namespaces = []
		auto_dump_path = "$dir/lib/qemu/dump"
	CONF
    : >"$dir/etc/libvirt.conf"
    : >"$dir/etc/no-kvm"
    # Debian's libvirtd looks these names up even when they are not used; the package that makes them is one we do without.
    cp /etc/passwd "$dir/etc/passwd"
    cp /etc/group "$dir/etc/group"
    getent passwd libvirt-qemu >/dev/null ||
        echo "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin" >>"$dir/etc/passwd"
    getent group libvirt-qemu >/dev/null || echo "libvirt-qemu:x:64055:" >>"$dir/etc/group"
    getent group kvm >/dev/null || echo "kvm:x:64056:" >>"$dir/etc/group"
}

write_env() {
    cat >"$1/env" <<-ENV
		export HAWKFISH_TEST_LIBVIRT_URI='$(uri_of "$1")'
		export HAWKFISH_TEST_LIBVIRT_DIR='$1'
	ENV
}

daemon_start() {
    local dir name netns prefix=()
    dir=$(lab_dir "$1")
    [[ -e $dir/host_uuid ]] || die "$dir is no lab" "make one with: $HF_ROOT/scripts/lab up $dir"
    if daemon_pid "$dir" >/dev/null; then
        say "libvirtd of $dir runs already"
        return
    fi
    name=$(cat "$dir/name")
    netns=$(cat "$dir/netns")
    [[ -z $netns ]] || prefix=(nsenter "--net=/run/netns/$netns")
    # The libvirtd before may have been killed, and a socket without a listener would look like an answer to come.
    rm -f "$dir/run/libvirt-sock" "$dir/run/libvirt-sock-ro"
    # The mounts are made for libvirtd alone, and for its QEMUs after it.
    # shellcheck disable=SC2016 # expanded by the inner shell
    "${prefix[@]}" unshare --mount --uts --propagation private bash -euc '
        dir=$1
        hostname "$2"
        mkdir -p /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt
        mount --bind "$dir/run" /run/libvirt
        mount --bind "$dir/lib" /var/lib/libvirt
        mount --bind "$dir/cache" /var/cache/libvirt
        mount --bind "$dir/log" /var/log/libvirt
        mount --bind "$dir/etc" /etc/libvirt
        mount --bind "$dir/etc/passwd" /etc/passwd
        mount --bind "$dir/etc/group" /etc/group
        if [[ -e /dev/kvm && ${HAWKFISH_TEST_KVM:-} != 1 ]]; then
            # A file on a read-only mount: libvirtd sees that it may not write it, and does not try KVM at each start anew.
            mount --bind "$dir/etc/no-kvm" /dev/kvm
            mount -o remount,bind,ro /dev/kvm
        fi
        exec libvirtd --daemon --config "$dir/etc/libvirtd.conf" --pid-file "$dir/run/libvirtd.pid"
    ' lab "$dir" "$name" </dev/null >"$dir/log/start.log" 2>&1 9>&- ||
        die "libvirtd did not start in $dir" "$(tail -n 20 "$dir/log/start.log" "$dir/log/libvirtd.log" 2>/dev/null)" \
            "in a container, it must be allowed to make mount namespaces (CAP_SYS_ADMIN)"
    daemon_wait "$dir"
    keep_capabilities "$dir"
}

# libvirtd asks each QEMU what it can, for some seconds. It checks itself whether an answer kept from before still holds.
capabilities_kept() { echo "$HF_CACHE/libvirt-capabilities-kvm-${HAWKFISH_TEST_KVM:-0}"; }

keep_capabilities() {
    local kept new
    kept=$(capabilities_kept)
    [[ ! -d $kept && -d $1/cache/qemu/capabilities ]] || return 0
    mkdir -p "$HF_CACHE"
    new=$(mktemp -d "$HF_CACHE/new.XXXXXX")
    cp "$1"/cache/qemu/capabilities/* "$new"
    mv -T "$new" "$kept" 2>/dev/null || rm -rf "$new"
}

take_capabilities() {
    local kept
    kept=$(capabilities_kept)
    [[ -d $kept && ! -d $1/cache/qemu/capabilities ]] || return 0
    mkdir -p "$1/cache/qemu/capabilities"
    cp "$kept"/* "$1/cache/qemu/capabilities/"
}

daemon_wait() {
    local deadline=$((SECONDS + 60)) uri
    uri=$(uri_of "$1")
    until [[ -S $1/run/libvirt-sock ]] && timeout 20 virsh -q -c "$uri" version >/dev/null 2>&1; do
        daemon_pid "$1" >/dev/null || die "libvirtd of $1 ended" "$(tail -n 20 "$1/log/libvirtd.log")"
        ((SECONDS < deadline)) || die "libvirtd of $1 does not answer within a minute" "$(tail -n 20 "$1/log/libvirtd.log")"
        sleep 0.05
    done
}

daemon_up() {
    need libvirtd libvirt-daemon
    need virsh libvirt-clients
    need qemu-system-x86_64 qemu-system-x86
    local dir name="" netns=""
    dir=$(lab_dir "$1")
    shift
    while [[ $# -gt 0 ]]; do
        case $1 in
        --name) name=$2 ;;
        --netns) netns=$2 ;;
        *) usage ;;
        esac
        shift 2
    done
    # The kernel takes 107 bytes for the path of a unix socket.
    ((${#dir} < 80)) || die "the path $dir is too long for a socket within it" "choose one shorter than 80 letters"
    [[ ! -e $dir/host_uuid ]] || say "$dir has been a lab before; its domains are kept"
    if daemon_pid "$dir" >/dev/null; then
        say "libvirtd of $dir runs already"
    else
        [[ -s $dir/host_uuid ]] || cat /proc/sys/kernel/random/uuid >"$dir/host_uuid"
        echo "${name:-hawkfish-lab}" >"$dir/name"
        echo "$netns" >"$dir/netns"
        write_config "$dir"
        write_env "$dir"
        take_capabilities "$dir"
        # Whoever reaches the socket commands root's QEMU; so only the one who asked for the lab gets into its folder.
        chown "${SUDO_UID:-0}:${SUDO_GID:-0}" "$dir"
        chmod 0700 "$dir"
        daemon_start "$dir"
        say "libvirtd answers in $dir (pid $(daemon_pid "$dir"))"
    fi
    uri_of "$dir"
}

# Sends a signal that ends libvirtd and waits until it has ended.
end_daemon() {
    local pid deadline=$((SECONDS + 20))
    pid=$(daemon_pid "$1") || return 0
    kill "-$2" "$pid"
    # A frozen one takes its signal only when it goes on.
    kill -CONT "$pid" 2>/dev/null || true
    while daemon_pid "$1" >/dev/null; do
        if ((SECONDS >= deadline)); then
            warn "libvirtd $pid does not end; killing it"
            kill -KILL "$pid" 2>/dev/null || true
            deadline=$((SECONDS + 20))
        fi
        sleep 0.02
    done
}

daemon_stop() { end_daemon "$(lab_dir "$1")" TERM; }
daemon_kill() { end_daemon "$(lab_dir "$1")" KILL; }

daemon_restart() {
    daemon_stop "$1"
    daemon_start "$1"
}

daemon_freeze() { signal_daemon "$1" STOP; }
daemon_thaw() { signal_daemon "$1" CONT; }

signal_daemon() {
    local dir pid
    dir=$(lab_dir "$1")
    pid=$(daemon_pid "$dir") || die "no libvirtd runs in $dir"
    kill "-$2" "$pid"
}

daemon_down() {
    local dir file pid
    dir=$(lab_dir "$1")
    end_daemon "$dir" TERM
    # With libvirtd gone nobody starts guests any more. Each has left its pid here.
    for file in "$dir"/run/qemu/*.pid; do
        [[ -e $file ]] || continue
        pid=$(cat "$file")
        if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q '^[^ ]*qemu-system'; then
            say "ending guest $(basename "$file" .pid)"
            kill -KILL "$pid" 2>/dev/null || true
        fi
        rm -f "$file"
    done
    say "the lab in $dir is down"
}
