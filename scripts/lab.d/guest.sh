# shellcheck shell=bash
# A small Linux that tells on its serial port what machine it finds itself in: Debian's kernel with a busybox initramfs.
# Not the smaller cloud kernel, which knows neither SATA nor USB and so would not see CDs there.

# What the kernel is told at each boot. An emulated CPU is slow: no delays for randomness, mitigations or many messages.
linux_words() {
    echo "console=ttyS0,115200 quiet panic=-1 mitigations=off random.trust_cpu=on nokaslr no_timer_check"
}

LINUX_MODULES=(
    virtio_pci virtio_blk virtio_scsi virtio_net virtio_rng
    ahci ata_piix sd_mod sr_mod cdrom isofs nls_utf8
    xhci_pci ehci_pci uhci_hcd usb_storage uas
    evdev button efivarfs e1000 e1000e i6300esb pvpanic pvpanic-mmio
)

write_init() {
    cat <<-'INIT'
		#!/bin/busybox sh
		# Tells what is here as one line of JSON, then ticks; obeys the power button.
		/bin/busybox mkdir -p /bin /proc /sys /dev /run
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs dev /dev
		exec </dev/null >/dev/ttyS0 2>&1

		word() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
		# The booted image's own name; firmware's menu is over and nothing else has been said yet.
		platform=pc
		[ -d /sys/firmware/efi ] && platform=efi

		while read -r module; do insmod "/modules/$module" 2>/dev/null; done </modules/order
		# Disks, CDs and USB sticks appear some time after their drivers.
		settle() {
		    for _ in 1 2 3 4 5 6 7 8 9 10; do
		        before=$(ls /sys/class/block /sys/bus/usb/devices 2>/dev/null | md5sum)
		        usleep 200000
		        [ "$before" = "$(ls /sys/class/block /sys/bus/usb/devices 2>/dev/null | md5sum)" ] && return
		    done
		}
		settle
		# A USB stick waits a second of its own before it shows its medium.
		[ -z "$(ls -d /sys/bus/usb/drivers/usb-storage/*:* /sys/bus/usb/drivers/uas/*:* 2>/dev/null)" ] || { sleep 1; settle; }

		quote() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g' | tr -d '\000-\037')"; }
		dmi() { quote "$(cat "/sys/class/dmi/id/$1" 2>/dev/null)"; }
		# The volume name that an ISO 9660 image carries in its first descriptor.
		label_of() { dd if="$1" bs=1 skip=32808 count=32 2>/dev/null | sed 's/ *$//'; }
		list() {
		    printf '['
		    comma=""
		    for item in "$@"; do printf '%s%s' "$comma" "$item" && comma=,; done
		    printf ']'
		}

		firmware=bios secure=false
		if [ $platform = efi ]; then
		    firmware=uefi
		    mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null
		    variable=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
		    [ "$(dd if=$variable bs=1 skip=4 count=1 2>/dev/null | od -An -tu1 | tr -d ' ')" = 1 ] && secure=true
		fi
		cds="" first_cd=null disks="" macs=""
		for block in /sys/class/block/sr*; do
		    [ -e "$block" ] || continue
		    label=$(label_of "/dev/${block##*/}")
		    [ -n "$label" ] || continue
		    [ "$first_cd" != null ] || first_cd=$(quote "$label")
		    cds="$cds {\"device\":\"${block##*/}\",\"label\":$(quote "$label")}"
		done
		for block in /sys/class/block/[vsh]d*[a-z]; do
		    [ -e "$block" ] || continue
		    bus=other
		    case $(readlink -f "$block") in */usb*) bus=usb ;; */virtio*) bus=virtio ;; */ata*) bus=sata ;; esac
		    serial=$(cat "$block/serial" 2>/dev/null)
		    disks="$disks {\"device\":\"${block##*/}\",\"bytes\":$(($(cat "$block/size") * 512)),\"bus\":\"$bus\",\"read_only\":$([ "$(cat "$block/ro")" = 1 ] && echo true || echo false),\"serial\":$(quote "$serial"),\"label\":$(quote "$(label_of "/dev/${block##*/}" | tr -d ' ')")}"
		done
		for nic in /sys/class/net/*; do
		    [ "${nic##*/}" = lo ] || macs="$macs \"$(cat "$nic/address")\""
		done
		# What firmware settings change, as the system sees it.
		has() { grep -qw "$1" /proc/cpuinfo && echo true || echo false; }
		hpet=false
		[ -e /sys/firmware/acpi/tables/HPET ] && hpet=true
		threads=$(tr ',-' '\n\n' </sys/devices/system/cpu/cpu0/topology/thread_siblings_list | wc -l)
		memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))
		cpus=$(grep -c ^processor /proc/cpuinfo)
		# shellcheck disable=SC2086 # lists of words without spaces
		json="{\"label\":$(quote "$(word hf.label)"),\"firmware\":\"$firmware\",\"secure_boot\":$secure,\"cd_label\":$first_cd,\"cds\":$(list $cds),\"disks\":$(list $disks),\"macs\":$(list $macs),\"memory_mib\":$memory,\"cpus\":$cpus,\"uuid\":$(dmi product_uuid),\"serial\":$(dmi product_serial),\"asset_tag\":$(dmi chassis_asset_tag),\"manufacturer\":$(dmi sys_vendor),\"product\":$(dmi product_name),\"sku\":$(dmi product_sku),\"svm\":$(has svm),\"vmx\":$(has vmx),\"hpet\":$hpet,\"threads_per_core\":$threads,\"sleep\":$(quote "$(cat /sys/power/mem_sleep 2>/dev/null)"),\"rtc\":$(quote "$(cat /sys/class/rtc/rtc0/date /sys/class/rtc/rtc0/time 2>/dev/null | tr '\n' ' ')"),\"kernel\":$(quote "$(uname -r)")}"
		printf '\r\nHAWKFISH-GUEST %s\n' "$json"

		# Any event of the power button's device is a press; the first one ends the system.
		for input in /sys/class/input/event*; do
		    [ "$(cat "$input/device/name" 2>/dev/null)" = "Power Button" ] || continue
		    (
		        dd if="/dev/input/${input##*/}" bs=24 count=1 of=/dev/null 2>/dev/null
		        echo HAWKFISH-POWEROFF
		        sync
		        poweroff -f
		    ) &
		done

		# A watchdog that is armed and not fed.
		watchdog=$(word hf.watchdog)
		if [ -n "$watchdog" ]; then
		    watchdog -T "$watchdog" -t 86400 /dev/watchdog && echo HAWKFISH-WATCHDOG
		fi

		# The clock's memory outlives a reset but not a power-off: bytes past what firmware uses tell of the reboot before.
		reboot_after=$(word hf.reboot_after)
		cmos() { printf '\176' | dd of=/dev/port bs=1 seek=112 count=1 conv=notrunc 2>/dev/null; }
		if [ -n "$reboot_after" ]; then
		    cmos
		    [ "$(dd if=/dev/port bs=1 skip=113 count=1 2>/dev/null | od -An -tx1 | tr -d ' ')" != 5a ] || reboot_after=""
		fi
		poweroff_after=$(word hf.poweroff_after)
		crash_after=$(word hf.crash_after)
		tick=0
		while true; do
		    echo "tick $tick"
		    if [ -n "$poweroff_after" ] && [ "$tick" -ge "$poweroff_after" ]; then
		        echo HAWKFISH-POWEROFF
		        poweroff -f
		    fi
		    if [ -n "$crash_after" ] && [ "$tick" -ge "$crash_after" ]; then
		        echo HAWKFISH-CRASH
		        echo c >/proc/sysrq-trigger
		    fi
		    if [ -n "$reboot_after" ] && [ "$tick" -ge "$reboot_after" ]; then
		        echo HAWKFISH-REBOOT
		        cmos
		        printf '\132' | dd of=/dev/port bs=1 seek=113 count=1 conv=notrunc 2>/dev/null
		        reboot -f
		    fi
		    tick=$((tick + 1))
		    sleep 1
		done
	INIT
}

# Debian's newest kernel, as apt knows it: its package name is also its release.
kernel_package() {
    apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1
}

build_linux() {
    local out=$1 package=$2 work module release file
    need busybox busybox-static
    need cpio cpio
    need depmod kmod
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" RETURN
    say "fetching Debian's $package"
    (cd "$work" && apt-get -q download "$package" >log 2>&1) || die "apt-get could not download $package" "$(cat "$work/log")" \
        "refresh the package lists: apt-get update"
    dpkg-deb -x "$work"/linux-image-*.deb "$work/package"
    release=${package#linux-image-}
    [[ -e $work/package/boot/vmlinuz-$release ]] || die "$package holds no vmlinuz-$release"
    depmod -b "$work/package" "$release"

    mkdir -p "$work/root/bin" "$work/root/modules"
    cp "$(command -v busybox)" "$work/root/bin/busybox"
    for module in "${LINUX_MODULES[@]}"; do
        # What is built in, or left out of this kernel, has no file. Files come with those they depend on, in order.
        modprobe -d "$work/package" -S "$release" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p' || true
    done | awk '!seen[$0]++' >"$work/files"
    while read -r file; do
        cp "$file" "$work/root/modules/"
        basename "$file"
    done <"$work/files" >"$work/root/modules/order"
    grep -q virtio_blk "$work/root/modules/order" || die "$package has no virtio_blk module"
    write_init >"$work/root/init"
    chmod 0755 "$work/root/init" "$work/root/bin/busybox"
    (cd "$work/root" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$out/initrd.img"
    cp "$work/package/boot/vmlinuz-$release" "$out/vmlinuz"
}

make_guest() {
    local dir package key kept new
    dir=$(lab_dir "$1")
    need apt-get apt
    package=$(kernel_package)
    [[ -n $package ]] || die "apt knows no linux-image-amd64" "refresh the package lists: apt-get update" \
        "(the small Linux is Debian's kernel; on other systems set HAWKFISH_TEST_ASSETS to a folder with vmlinuz and initrd.img)"
    key=$package-$(cat "$HF_ROOT/scripts/lab.d/guest.sh" "$HF_ROOT/scripts/lab.d/images.sh" | sha256sum | cut -c1-8)
    kept=$HF_CACHE/guest-$key
    if [[ ! -d $kept ]]; then
        mkdir -p "$HF_CACHE"
        new=$(mktemp -d "$HF_CACHE/new.XXXXXX")
        build_linux "$new" "$package"
        make_iso HFLINUX "$new/linux.iso" --linux "$new" >/dev/null
        make_disk HFDISK "$new/disk.qcow2" >/dev/null
        chmod 0755 "$new"
        mv -T "$new" "$kept" 2>/dev/null || rm -rf "$new"
    else
        say "from the cache: $kept"
    fi
    cp --reflink=auto "$kept"/* "$dir/"
    say "in $dir: vmlinuz initrd.img linux.iso disk.qcow2"
    echo "$dir"
}
