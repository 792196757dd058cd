# shellcheck shell=bash
# Domains as somebody else than HawkFish might have defined them: with parts that HawkFish does not know.

# The words are put into XML, so they may not hold its special letters.
plain() {
    [[ $1 =~ ^[A-Za-z0-9_./:,=\ +-]*$ ]] || die "'$1' has letters that a lab domain cannot have"
    printf '%s' "$1"
}

make_xml() {
    local name efi="" panic="" disk="" cdrom="" has_cdrom=1 serial="" pty="" memory="" boot=hd nic=user vnc="" kernel="" cmdline="" uuid=""
    name=$(plain "$1")
    shift
    while [[ $# -gt 0 ]]; do
        case $1 in
        --efi) efi=1 ;;
        --cdrom-empty) has_cdrom=1 ;;
        --no-cdrom) has_cdrom="" ;;
        --pty) pty=1 ;;
        --panic) panic=1 ;;
        --disk | --cdrom | --serial | --memory | --boot | --nic | --vnc | --kernel | --cmdline | --uuid)
            [[ $# -ge 2 ]] || usage
            printf -v "${1#--}" '%s' "$(plain "$2")"
            shift
            ;;
        *) usage ;;
        esac
        shift
    done
    # GRUB for UEFI needs twice the memory to load a Linux.
    [[ -n $memory ]] || memory=$((256 + ${efi:-0} * 256))
    local format=qcow2 device file
    # libvirt takes whole paths only.
    for file in disk cdrom serial vnc kernel; do
        [[ -z ${!file} ]] || printf -v "$file" '%s' "$(realpath -m "${!file}")"
    done
    [[ $disk != *.raw && $disk != *.img && $disk != *.iso ]] || format=raw

    echo "<domain type='qemu'>"
    echo "  <name>$name</name>"
    [[ -z $uuid ]] || echo "  <uuid>$uuid</uuid>"
    cat <<-XML
		  <title>Lab guest $name</title>
		  <metadata>
		    <lab:note xmlns:lab='https://lab.example/note/1' keep='as it is'><lab:owner>someone else</lab:owner></lab:note>
		  </metadata>
		  <memory unit='MiB'>$memory</memory>
		  <vcpu>1</vcpu>
	XML
    echo "  <os${efi:+ firmware='efi'}>"
    echo "    <type arch='x86_64' machine='q35'>hvm</type>"
    [[ -z $efi ]] || echo "    <firmware><feature enabled='no' name='secure-boot'/></firmware>"
    if [[ -n $kernel ]]; then
        echo "    <kernel>$kernel/vmlinuz</kernel>"
        echo "    <initrd>$kernel/initrd.img</initrd>"
        echo "    <cmdline>$(linux_words) hf.label=kernel $cmdline</cmdline>"
    fi
    for device in ${boot//,/ }; do echo "    <boot dev='$device'/>"; done
    cat <<-XML
		    <bios useserial='no'/>
		  </os>
		  <features><acpi/><apic/></features>
		  <on_poweroff>destroy</on_poweroff>
		  <on_reboot>restart</on_reboot>
		  <on_crash>destroy</on_crash>
		  <devices>
	XML
    [[ -z $disk ]] || cat <<-XML
		    <disk type='file' device='disk'>
		      <driver name='qemu' type='$format' cache='unsafe'/>
		      <source file='$disk'/>
		      <target dev='vda' bus='virtio'/>
		      <serial>HF-$name</serial>
		    </disk>
	XML
    if [[ -n $has_cdrom ]]; then
        echo "    <disk type='file' device='cdrom'>"
        echo "      <driver name='qemu' type='raw'/>"
        [[ -z $cdrom ]] || echo "      <source file='$cdrom'/>"
        echo "      <target dev='sda' bus='sata'/>"
        echo "      <readonly/>"
        echo "    </disk>"
    fi
    # A network inside QEMU: its DHCP answers a PXE boot, with nothing to load. None of the lab's guests sends anything further.
    [[ $nic != user ]] || echo "    <interface type='user'><model type='virtio'/></interface>"
    if [[ -n $serial && -n $pty ]]; then
        echo "    <serial type='pty'><log file='$serial' append='on'/><target port='0'/></serial>"
    elif [[ -n $serial ]]; then
        echo "    <serial type='file'><source path='$serial' append='on'/><target port='0'/></serial>"
    else
        echo "    <serial type='pty'><target port='0'/></serial>"
    fi
    [[ -z $vnc ]] || echo "    <graphics type='vnc' socket='$vnc'/>"
    [[ -z $vnc ]] || echo "    <video><model type='vga'/></video>"
    [[ -z $panic ]] || echo "    <panic model='isa'/>"
    cat <<-XML
		    <watchdog model='i6300esb' action='none'/>
		    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
		    <memballoon model='none'/>
		  </devices>
		</domain>
	XML
}
