package train

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// PeakMemory is the most memory that the process has had resident, bytes; where the system does not say, what the Go runtime took.
func PeakMemory() int64 {
	f, err := os.Open("/proc/self/status")
	if err == nil {
		defer func() { _ = f.Close() }()
		for s := bufio.NewScanner(f); s.Scan(); {
			var kib int64
			if strings.HasPrefix(s.Text(), "VmHWM:") {
				if _, err := fmt.Sscanf(s.Text(), "VmHWM: %d kB", &kib); err == nil {
					return kib << 10
				}
			}
		}
	}
	var m runtime.MemStats // elsewhere than on Linux
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
