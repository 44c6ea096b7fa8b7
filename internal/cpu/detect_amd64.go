//go:build amd64 && !noasm

package cpu

import "golang.org/x/sys/cpu"

// AVX2 reports whether AVX2 and FMA3 may be used: every x86 server and desktop since 2013 (Intel) or 2015 (AMD).
func AVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// AVX512 reports whether the F, BW, DQ and VL parts of AVX-512 and BMI2 may be used (Skylake-SP, Zen 4 and later), which
// implies AVX2.
func AVX512() bool {
	x := &cpu.X86
	return AVX2() && x.HasBMI2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}

// AVX512BF16 reports whether, beyond AVX512, products of bfloat16 may be used (Cooper Lake, Zen 4 and later).
func AVX512BF16() bool { return AVX512() && cpu.X86.HasAVX512BF16 }

// AVX512VNNI reports whether, beyond AVX512, products of bytes may be used (Cascade Lake, Zen 4 and later).
func AVX512VNNI() bool { return AVX512() && cpu.X86.HasAVX512VNNI }

// AMX reports whether, beyond AVX512BF16 and AVX512VNNI, tiles of bfloat16 and of bytes may be multiplied (Sapphire Rapids and later).
// The operating system has to agree first, as a thread that uses tiles has 8 KiB more to be kept when it is interrupted: Linux is asked
// once, for the whole program.
func AMX() bool { return amx }

var amx = AVX512BF16() && AVX512VNNI() && cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && cpu.X86.HasAMXInt8 && permitTiles()
