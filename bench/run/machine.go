package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/lockstep-dev/lockstep/bench/figures"
)

// machine is what this runs on; what cannot be told is left out.
func machine() figures.Machine {
	return figures.Machine{
		CPU:    field("/proc/cpuinfo", "model name"),
		CPUs:   runtime.NumCPU(),
		Memory: gibibytes(field("/proc/meminfo", "MemTotal")),
		Kernel: firstLine("/proc/sys/kernel/osrelease"),
		Go:     runtime.Version(),
		Load:   load(firstLine("/proc/loadavg")),
	}
}

func field(file, name string) string {
	raw, _ := os.ReadFile(file)
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func gibibytes(kilobytes string) float64 {
	number, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(kilobytes, "kB")))
	return float64(number*10>>20) / 10
}

func firstLine(file string) string {
	raw, _ := os.ReadFile(file)
	line, _, _ := strings.Cut(string(raw), "\n")
	return line
}

// load is the second of the three averages: that of five minutes.
func load(averages string) float64 {
	fields := strings.Fields(averages)
	if len(fields) < 2 {
		return 0
	}
	average, _ := strconv.ParseFloat(fields[1], 64)
	return average
}
