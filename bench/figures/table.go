package figures

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table prints the results for people.
func (r *Results) Table(out io.Writer) error {
	w := &strings.Builder{}
	m := r.Machine
	fmt.Fprintf(w, "\n%d processors (%s), %.1f GiB, Linux %s, load %.1f over five minutes\n", m.CPUs, m.CPU, m.Memory, m.Kernel, m.Load)
	r.moves(w)
	r.rest(w)
	fmt.Fprintln(w, "\nGoals\tat most\tmeasured\t")
	for _, g := range r.Goals {
		fmt.Fprintf(w, "%s\t%g\t%.2f\t%s\n", g.Name, g.AtMost, g.Measured, said(g.Met))
	}
	aligned := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(aligned, w.String()); err != nil {
		return err
	}
	return aligned.Flush()
}

func said(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

func (r *Results) moves(w *strings.Builder) {
	fmt.Fprintln(w, "\nUsers are moved\tn\tLockstep ms, median\tp95\tbare ms, median\tp95\tratio, median\tp95\t")
	for _, what := range []struct {
		name string
		by   map[string]Moves
	}{{"switch", r.Switch}, {"warm rollback", r.Rollback}} {
		for _, kind := range Kinds() {
			m := what.by[kind]
			fmt.Fprintf(w, "%s, %s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t\n",
				what.name, kind, m.N, m.LockstepMs.Median, m.LockstepMs.P95, m.BareMs.Median, m.BareMs.P95, m.Ratio.Median, m.Ratio.P95)
		}
	}
	fmt.Fprintf(w, "\n%d requests, %d failed, %d mixed\n", r.Users.Requests, r.Users.Failed, r.Users.Mixed)
}

func (r *Results) rest(w *strings.Builder) {
	for _, kind := range Kinds() {
		writes := r.WritesPerRelease[kind]
		fmt.Fprintf(w, "\nWrites per release, %s (mean of %d)\t\n", kind, writes.N)
		for _, one := range writes.ByKind {
			fmt.Fprintf(w, "  %s %s\t%.1f\n", one.Verb, one.Resource, one.Count)
		}
		fmt.Fprintf(w, "  to Stack, Release and entry\t%.1f\tof these until live\t%.1f\n", writes.StackReleaseEntry, writes.UntilLive)
	}
	fmt.Fprintln(w, "\nIdle controller\tmemory MiB\tCPU, thousandths\t")
	for _, stacks := range byNumber(r.Controller) {
		fmt.Fprintf(w, "%s Stacks\t%.0f\t%.1f\t\n", stacks, r.Controller[stacks].MemoryMiB, r.Controller[stacks].CPUMillis)
	}
	fmt.Fprintln(w, "\nplan.Next\tns\tallocations\tbytes\t")
	for _, members := range byNumber(r.PlanNext) {
		p := r.PlanNext[members]
		fmt.Fprintf(w, "%s members\t%d\t%d\t%d\t\n", members, p.Ns, p.Allocs, p.Bytes)
	}
	fmt.Fprintln(w, "\nWhole release\tn\tseconds, median\tcritical path\tratio\tbare, seconds\tbare ratio\tto bare\t")
	wholeRow(w, "ready at once", r.WholeRelease)
	wholeRow(w, fmt.Sprintf("ready after %d s", SlowMember), r.WholeReleaseSlow)
}

func wholeRow(w *strings.Builder, which string, o Whole) {
	fmt.Fprintf(w, "%d members, %s\t%d\t%.1f\t%.1f\t%.2f\t%.1f\t%.2f\t%.2f\t\n",
		o.Members, which, o.N, o.Seconds.Median, o.CriticalSeconds.Median, o.Ratio.Median, o.BareSeconds.Median, o.BareRatio.Median, o.ToBare.Median)
}

func byNumber[T any](of map[string]T) []string {
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
}
