# shellcheck shell=bash
# CDs and disks whose boot loader says on the serial port what has been booted, under BIOS and UEFI.

# What GRUB starts once it has spoken: a kernel of some bytes that halts the CPU, since GRUB's own waiting burns a core.
# It answers an NMI with a line on the serial port. Multiboot, so that one file serves BIOS and UEFI.
build_idle_kernel() {
    need as binutils
    local work=$1
    cat >"$work/idle.s" <<-'ASM'
		        .code32
		        .text
		        .globl  _start
		        .align  4
		header: .long   0x1BADB002, 0, -0x1BADB002
		_start: cli
		        movl    $stack, %esp
		        lgdt    gdt_pointer
		        ljmp    $8, $flat
		flat:   movw    $16, %ax
		        movw    %ax, %ds
		        movw    %ax, %es
		        movw    %ax, %ss
		        movl    $nmi, %eax                 /* gate 2 of the interrupt table: NMI */
		        movw    %ax, idt + 16
		        movw    $8, idt + 18
		        movw    $0x8E00, idt + 20
		        shrl    $16, %eax
		        movw    %ax, idt + 22
		        lidt    idt_pointer
		idle:   hlt
		        jmp     idle
		nmi:    movl    $text, %esi
		next:   movw    $0x3FD, %dx                /* wait until the serial port takes a byte */
		wait:   inb     %dx, %al
		        testb   $0x20, %al
		        jz      wait
		        lodsb
		        testb   %al, %al
		        jz      done
		        movw    $0x3F8, %dx
		        outb    %al, %dx
		        jmp     next
		done:   iret
		text:   .asciz  "HAWKFISH-NMI\r\n"
		        .align  8
		gdt:    .quad   0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
		gdt_pointer:
		        .word   23
		        .long   gdt
		idt_pointer:
		        .word   23
		        .long   idt
		        .bss
		        .align  16
		idt:    .skip   24
		        .skip   4096
		stack:
	ASM
    as --32 -o "$work/idle.o" "$work/idle.s"
    ld -m elf_i386 -Ttext 0x100000 -z max-page-size=4096 -o "$work/idle" "$work/idle.o" 2>/dev/null
}

# What an image says and does, from the command line of `lab iso` and `lab disk`.
image_options() {
    label=$1 out=$2 efi_only="" reboot_after="" linux=""
    shift 2
    while [[ $# -gt 0 ]]; do
        case $1 in
        --efi-only) efi_only=1 && shift ;;
        --reboot-after) reboot_after=$2 && shift 2 ;;
        --linux) linux=$2 && shift 2 ;;
        *) usage ;;
        esac
    done
    [[ $label =~ ^[A-Za-z0-9_-]{1,32}$ ]] || die "a label has 1 to 32 letters, digits, '_' or '-', unlike '$label'"
    [[ -z $reboot_after || $reboot_after =~ ^[0-9]+$ ]] || die "--reboot-after takes seconds, unlike '$reboot_after'"
    if [[ -n $linux && ! -e $linux/vmlinuz ]]; then
        die "there is no Linux in $linux" "make it with: $HF_ROOT/scripts/lab guest $linux"
    fi
}

write_grub_config() {
    cat <<-GRUB
		serial --unit=0 --speed=115200
		terminal_input serial
		terminal_output serial
		echo "HAWKFISH-BOOT label=$label platform=\$grub_platform"
	GRUB
    if [[ -n $linux ]]; then
        echo "linux /boot/vmlinuz $(linux_words) hf.label=$label ${reboot_after:+hf.reboot_after=$reboot_after}"
        echo "initrd /boot/initrd.img"
    else
        # A byte of the clock's memory, which outlives a reset but not a power-off, tells whether this has been done before.
        [[ -z $reboot_after ]] || cat <<-GRUB
			outb 0x70 0x7e
			inb -v reset_before 0x71
			if [ "\$reset_before" != 5a ]; then
			  sleep $reboot_after
			  outb 0x70 0x7e
			  outb 0x71 0x5a
			  reboot
			fi
		GRUB
        echo "multiboot /boot/idle"
    fi
    echo boot
}

# An ISO 9660 image that is a hard disk's image as well: both firmwares start it from a CD, a disk or a USB stick.
build_bootable() {
    need grub-mkrescue grub-common
    need xorriso xorriso
    need mformat mtools
    local image=$1 work modules platforms
    [[ -d /usr/lib/grub/x86_64-efi ]] || die "GRUB for UEFI is missing (Debian package: grub-efi-amd64-bin)" "run: scripts/setup --test"
    [[ -d /usr/lib/grub/i386-pc ]] || die "GRUB for BIOS is missing (Debian package: grub-pc-bin)" "run: scripts/setup --test"
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" RETURN
    mkdir -p "$work/tree/boot/grub"
    if [[ -n $linux ]]; then
        cp "$linux/vmlinuz" "$linux/initrd.img" "$work/tree/boot/"
    else
        build_idle_kernel "$work"
        cp "$work/idle" "$work/tree/boot/idle"
    fi
    write_grub_config >"$work/tree/boot/grub/grub.cfg"
    # Only the modules the configuration uses: 5 MB instead of 20 MB, and less to read for an emulated BIOS.
    modules="normal configfile echo test serial terminal sleep reboot iorw linux multiboot boot search search_fs_file search_label search_fs_uuid iso9660 part_msdos part_gpt part_apple"
    modules+=" part_acorn part_amiga part_bsd part_dfly part_dvh part_plan part_sun part_sunpc" # named by grub-mkrescue itself
    platforms=()
    [[ -z $efi_only ]] || platforms=(-d /usr/lib/grub/x86_64-efi)
    grub-mkrescue -o "$image" "${platforms[@]}" --install-modules="$modules" --fonts= --locales= --themes= --compress=no \
        "$work/tree" -- -volid "$label" >"$work/log" 2>&1 || die "grub-mkrescue failed" "$(cat "$work/log")"
}

make_iso() {
    [[ $# -ge 2 ]] || usage
    local label out efi_only reboot_after linux
    image_options "$@"
    build_bootable "$out"
    echo "$out"
}

make_disk() {
    [[ $# -ge 2 ]] || usage
    need qemu-img qemu-utils
    local label out efi_only reboot_after linux raw format=qcow2
    image_options "$@"
    raw=$(mktemp)
    build_bootable "$raw"
    if [[ $out == *.raw || $out == *.img ]]; then format=raw; fi
    qemu-img convert -q -f raw -O $format "$raw" "$out" || die "qemu-img could not write $out"
    rm -f "$raw"
    qemu-img resize -q -f $format "$out" 64M
    echo "$out"
}
