// The picture shows what users met while the demo ran: it is drawn from build/demo.json, which the demo writes.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type demo struct {
	Requests, Failed, Mixed, Cut int64
	Timeline                     []sample
	Marks                        []mark
}

// sample is how many requests each version of the frontend had served, Seconds after the first sample.
type sample struct {
	Seconds float64
	Served  map[string]int64
}

// mark is something that was said at a moment.
type mark struct {
	Seconds float64
	Text    string
}

const (
	width, height = 880.0, 300.0
	left, right   = 56.0, 16.0
	top, bottom   = 52.0, 40.0
)

var colors = []string{"#2f6fb5", "#3a9a5b", "#b5652f"}

func main() {
	if err := draw("build/demo.json", "docs/pictures/release.svg"); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func draw(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("%w (run make demo first)", err)
	}
	var d demo
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	if len(d.Timeline) < 3 {
		return fmt.Errorf("%s has no timeline", from)
	}
	return os.WriteFile(to, []byte(svg(d)), 0o644)
}

func svg(d demo) string {
	c := newChart(d)
	out := &strings.Builder{}
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="ui-sans-serif, system-ui, sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(out, `<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(out, `<text x="%.0f" y="20" font-size="14" fill="#222">Requests per second, by the release that served them: %d requests, %d failed, %d met two releases</text>`+"\n", left, d.Requests, d.Failed, d.Mixed)
	for i, release := range c.releases {
		fmt.Fprintf(out, `<text x="%.0f" y="38" fill="%s">%s</text>`+"\n", left+float64(i)*170, colors[i%len(colors)], release)
		fmt.Fprintf(out, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", colors[i%len(colors)], c.line(d, release))
	}
	c.axes(out)
	c.marks(out, d.Marks)
	out.WriteString("</svg>\n")
	return out.String()
}

// chart maps seconds and requests per second to the picture.
type chart struct {
	releases      []string
	seconds, rate float64
}

func newChart(d demo) *chart {
	c := &chart{seconds: d.Timeline[len(d.Timeline)-1].Seconds}
	seen := map[string]bool{}
	for i, s := range d.Timeline {
		for release := range s.Served {
			if !seen[release] {
				seen[release] = true
				c.releases = append(c.releases, release)
			}
			if i > 0 {
				c.rate = max(c.rate, rate(d, i, release))
			}
		}
	}
	c.rate *= 1.1
	return c
}

// smooth is over how many samples a rate is taken.
const smooth = 2

func rate(d demo, i int, release string) float64 {
	before := d.Timeline[max(0, i-smooth)]
	return float64(d.Timeline[i].Served[release]-before.Served[release]) / max(d.Timeline[i].Seconds-before.Seconds, 0.001)
}

func (c *chart) x(seconds float64) float64 { return left + seconds/c.seconds*(width-left-right) }
func (c *chart) y(rate float64) float64    { return height - bottom - rate/c.rate*(height-top-bottom) }

func (c *chart) line(d demo, release string) string {
	var points []string
	for i := 1; i < len(d.Timeline); i++ {
		points = append(points, fmt.Sprintf("%.1f,%.1f", c.x(d.Timeline[i].Seconds), c.y(rate(d, i, release))))
	}
	return strings.Join(points, " ")
}

func (c *chart) axes(out *strings.Builder) {
	fmt.Fprintf(out, `<path d="M%.0f %.0fV%.0fH%.0f" fill="none" stroke="#888"/>`+"\n", left, top, height-bottom, width-right)
	for i := 0; i <= 4; i++ {
		at := c.rate / 4 * float64(i)
		fmt.Fprintf(out, `<text x="%.0f" y="%.1f" text-anchor="end" fill="#555">%.0f</text>`+"\n", left-6, c.y(at)+4, at)
	}
	for s := 0.0; s <= c.seconds; s += 5 {
		fmt.Fprintf(out, `<text x="%.1f" y="%.0f" text-anchor="middle" fill="#555">%.0f s</text>`+"\n", c.x(s), height-bottom+18, s)
	}
}

func (c *chart) marks(out *strings.Builder, marks []mark) {
	for _, m := range marks {
		x := c.x(m.Seconds)
		fmt.Fprintf(out, `<path d="M%.1f %.0fV%.0f" stroke="#c33" stroke-dasharray="4 3"/>`+"\n", x, top, height-bottom)
		fmt.Fprintf(out, `<text x="%.1f" y="%.0f" fill="#c33">%s</text>`+"\n", x+4, height-bottom-8, m.Text)
	}
}
