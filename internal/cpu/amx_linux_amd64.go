//go:build !noasm

package cpu

import "golang.org/x/sys/unix"

// permitTiles asks for the use of AMX's tile registers (Linux 5.16 and later: Documentation/arch/x86/xstate.rst).
func permitTiles() bool {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
	_, _, err := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return err == 0
}
