package figures

import (
	"fmt"
	"strings"
)

const (
	width, height = 880.0, 360.0
	left, right   = 56.0, 16.0
	top, bottom   = 56.0, 56.0
	grid          = 5
)

var colors = map[string]string{"bare": "#8a8f98", "Lockstep": "#2f6fb5"}

// column is all moves of one kind by one of the two.
type column struct {
	group, who string
	ms         []float64
}

func (r *Results) columns() []column {
	var all []column
	for _, what := range []struct {
		name string
		by   map[string][]Pair
	}{{"switch", r.Samples.Switch}, {"warm rollback", r.Samples.Rollback}} {
		for _, kind := range Kinds() {
			bare, lockstep := column{group: what.name + ", " + kind, who: "bare"}, column{who: "Lockstep"}
			for _, p := range what.by[kind] {
				bare.ms, lockstep.ms = append(bare.ms, p.BareMs), append(lockstep.ms, p.LockstepMs)
			}
			all = append(all, bare, lockstep)
		}
	}
	return all
}

// Plot draws every latency as a dot, and medians as lines.
func (r *Results) Plot() string {
	columns := r.columns()
	most := 1.0
	for _, c := range columns {
		for _, ms := range c.ms {
			most = max(most, ms)
		}
	}
	y := func(ms float64) float64 { return height - bottom - ms/(most*1.05)*(height-top-bottom) }
	out := &strings.Builder{}
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="ui-sans-serif, system-ui, sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(out, `<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(out, `<text x="%.0f" y="20" font-size="14" fill="#222">How long users still begin requests at the old slot, in ms: each dot a move, each line a median</text>`+"\n", left)
	for i := 0; i <= grid; i++ {
		at := most / grid * float64(i)
		fmt.Fprintf(out, `<path d="M%.0f %.1fH%.0f" stroke="#e4e4e4"/><text x="%.0f" y="%.1f" text-anchor="end" fill="#555">%.0f</text>`+"\n", left, y(at), width-right, left-6, y(at)+4, at)
	}
	step := (width - left - right) / float64(len(columns))
	for i, c := range columns {
		c.draw(out, left+(float64(i)+0.5)*step, step, y)
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func (c column) draw(out *strings.Builder, x, step float64, y func(float64) float64) {
	color := colors[c.who]
	for i, ms := range c.ms {
		// Dots of a column stand side by side in the order of the moves, so that none hides another.
		shift := (float64(i)/float64(len(c.ms)) - 0.5) * step * 0.5
		fmt.Fprintf(out, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s" fill-opacity="0.55"/>`+"\n", x+shift, y(ms), color)
	}
	if len(c.ms) > 0 {
		median := quantile(c.ms, 0.5)
		fmt.Fprintf(out, `<path d="M%.1f %.1fh%.1f" stroke="%s" stroke-width="2"/>`+"\n", x-step*0.35, y(median), step*0.7, color)
		fmt.Fprintf(out, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="%s">%.0f ms</text>`+"\n", x, top-8, color, median)
	}
	fmt.Fprintf(out, `<text x="%.1f" y="%.0f" text-anchor="middle" fill="%s">%s</text>`+"\n", x, height-bottom+18, color, c.who)
	if c.group != "" {
		fmt.Fprintf(out, `<text x="%.1f" y="%.0f" text-anchor="middle" fill="#222">%s</text>`+"\n", x+step/2, height-bottom+38, c.group)
	}
}
