package main

import (
	"fmt"
	"regexp"
	"strconv"
)

// standIns are instructions that neither avo nor Go's assembler knows, each written as another one of the same form that no
// kernel uses, and replaced by its bytes in the printed text. operands are the stand-in's, Go's order: the second source
// (rm), the first source where there is one, the destination.
var standIns = []struct {
	name string
	text *regexp.Regexp
	pp   byte // mandatory prefix: 2 is F3, 3 is F2
	op   byte
}{
	// Multiplies pairs of bfloat16 and adds both products to a float32.
	{"VDPBF16PS", regexp.MustCompile(`VPDPWSSD +Z(\d+), Z(\d+), Z(\d+)`), 2, 0x52},
	// Rounds two registers of float32 to one of bfloat16, the second source to its lower half.
	{"VCVTNE2PS2BF16", regexp.MustCompile(`VPDPWSSDS +Z(\d+), Z(\d+), Z(\d+)`), 3, 0x72},
	// Rounds a register of float32 to half a register of bfloat16.
	{"VCVTNEPS2BF16", regexp.MustCompile(`VPMOVDW +Z(\d+), Y(\d+)`), 2, 0x72},
}

// raw replaces the stand-ins in an assembly file. The encoding is EVEX.512.0F38.W0 with registers alone (Intel's manual,
// volume 2, section 2.7).
func raw(asm []byte) []byte {
	for _, s := range standIns {
		asm = s.text.ReplaceAllFunc(asm, func(line []byte) []byte {
			var regs []byte
			for _, m := range s.text.FindSubmatch(line)[1:] {
				n, err := strconv.Atoi(string(m))
				if err != nil {
					panic(err)
				}
				regs = append(regs, byte(n))
			}
			rm, first, dst := regs[0], byte(0), regs[len(regs)-1]
			if len(regs) == 3 {
				first = regs[1]
			}
			not := func(x, bit byte) byte { return ^x >> bit & 1 }
			p0 := not(dst, 3)<<7 | not(rm, 4)<<6 | not(rm, 3)<<5 | not(dst, 4)<<4 | 2
			p1 := (^first&15)<<3 | 4 | s.pp
			p2 := 0x40 | not(first, 4)<<3
			return fmt.Appendf(nil, "LONG $0x%02x%02x%02x62; WORD $0x%02x%02x // %s %v", p2, p1, p0, 0xc0|dst&7<<3|rm&7, s.op, s.name, regs)
		})
	}
	return asm
}
