package view

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Tree prints a Model for a terminal.
func Tree(m *Model, look Look) string {
	p := &page{look: look}
	p.section("STACK", []row{{{m.Name, bold}, {"  in namespace " + m.Namespace, plain}}})
	p.section("READY", p.ready(m))
	p.section("WAITS", p.waiting(m))
	for _, problem := range m.Problems {
		p.section("PROBLEM", p.problem(m, problem))
	}
	p.blank()
	p.section("SLOTS", p.slots(m))
	p.section("ENTRIES", p.entries(m))
	p.section("RELEASE", p.active(m))
	p.section("LAST", p.last(m))
	p.section("QUEUED", p.queued(m))
	p.section("DECIDED", p.undecided(m))
	p.section("NEXT", p.commands(m))
	return p.out.String()
}

func (p *page) ready(m *Model) []row {
	colour := yellow
	if m.Ready.Status == string(metav1.ConditionTrue) {
		colour = green
	}
	head := row{{m.Ready.Status, colour}}
	if m.Ready.Reason != "" {
		head = append(head, cell{"  " + m.Ready.Reason, colour})
	}
	if !m.Ready.Since.IsZero() {
		head = append(head, cell{"  " + Since(m.Now.Time, m.Ready.Since), dim})
	}
	if m.Ready.Message == "" || repeated(m) {
		return []row{head}
	}
	return append([]row{head}, p.wrap(m.Ready.Message, 0, plain)...)
}

// repeated is whether what Ready says is said again below.
func repeated(m *Model) bool {
	if m.Waiting != nil && m.Waiting.Message == m.Ready.Message {
		return true
	}
	for _, problem := range m.Problems {
		if problem.Message == m.Ready.Message {
			return true
		}
	}
	return false
}

func (p *page) waiting(m *Model) []row {
	if m.Waiting == nil {
		return nil
	}
	head := row{{cmp.Or(m.Waiting.Reason, "Waiting"), yellow}, {"  " + Since(m.Now.Time, m.Waiting.Since), dim}}
	return append([]row{head}, p.wrap(m.Waiting.Message, 0, plain)...)
}

func (p *page) problem(m *Model, problem Problem) []row {
	head := row{{cmp.Or(problem.Reason, problem.About), red}, {"  " + Since(m.Now.Time, problem.Since), dim}}
	return append([]row{head}, p.wrap(problem.Message, 0, plain)...)
}

func (p *page) entries(m *Model) []row {
	var rows []row
	for _, e := range m.Entries {
		rows = append(rows, p.entry(e))
	}
	rows = align(rows)
	var out []row
	for i, e := range m.Entries {
		out = append(out, rows[i])
		if e.PreviewSlot != "" {
			out = append(out, p.wrap("testers reach "+e.PreviewSlot+" by "+e.PreviewBy, 2, dim)...)
		}
		if e.Message != "" {
			out = append(out, p.wrap("! "+e.Message, 2, yellow)...)
		}
	}
	return append(out, p.window(m)...)
}

// window tells what users of different entries met while they were switched.
func (p *page) window(m *Model) []row {
	w := m.Window
	switch {
	case w == nil:
		return nil
	case w.Milliseconds == nil:
		return p.wrap("entries are being switched to "+cmp.Or(w.Live, "their origin")+" one after the other, since "+w.Since.UTC().Format("15:04:05.000"), 0, yellow)
	}
	return p.wrap(fmt.Sprintf("last switched to %s: %d ms from the first entry to the last", cmp.Or(w.Live, "their origin"), *w.Milliseconds), 0, dim)
}

func (p *page) entry(e Entry) row {
	epoch := fmt.Sprintf("epoch %d", e.Epoch)
	if e.IntendedEpoch > 0 && e.Epoch != e.IntendedEpoch {
		epoch += fmt.Sprintf(" of %d", e.IntendedEpoch)
	}
	route := e.Route
	if e.Adopted {
		route += " (adopted)"
	}
	colour := yellow
	if e.Evidence == v1alpha1.EvidenceServed || (e.Evidence != "" && e.Evidence == e.Require) {
		colour = green
	}
	return row{{e.Name, plain}, {weightsOf(e.Weights), bold}, {string(e.Evidence), colour}, {epoch, dim}, {route, dim}}
}

func weightsOf(weights []v1alpha1.SlotWeight) string {
	if len(weights) == 0 {
		return "to no slot"
	}
	var parts []string
	for _, w := range weights {
		parts = append(parts, fmt.Sprintf("%s %d%%", w.Slot, w.Weight))
	}
	return strings.Join(parts, ", ")
}

func (p *page) last(m *Model) []row {
	if m.Last == nil {
		return nil
	}
	r := *m.Last
	head := row{{r.Name, plain}, {"  " + revisionOf(r), plain}, {"  " + string(r.Outcome), red}, {reasonOf(r), red}}
	if r.Ended != nil {
		head = append(head, cell{"  " + Age(m.Now.Time, *r.Ended) + " ago", dim})
	}
	if r.Message == "" {
		return []row{head}
	}
	return append([]row{head}, p.wrap(r.Message, 2, plain)...)
}

// reasonOf is why a release ended, where that says more than how.
func reasonOf(r Release) string {
	if r.Reason == "" || r.Reason == string(r.Outcome) {
		return ""
	}
	return " (" + r.Reason + ")"
}

func (p *page) queued(m *Model) []row {
	var rows []row
	for _, r := range m.Queued {
		rows = append(rows, row{{r.Name, plain}, {revisionOf(r), plain}, {Age(m.Now.Time, r.Created), dim}, {m.queuedFor(), yellow}})
	}
	return align(rows)
}

// queuedFor is what a queued release waits for, in a word.
func (m *Model) queuedFor() string {
	switch {
	case m.Active != nil:
		return "behind " + m.Active.Name
	case m.Waiting != nil:
		return m.Waiting.Reason
	}
	return ""
}

func (p *page) undecided(m *Model) []row {
	var rows []row
	for _, d := range m.Undecided {
		rows = append(rows, row{
			{strings.ToLower(string(d.Verb)) + " of " + d.Release, plain},
			{"by " + d.By, plain},
			{"not answered yet, " + Since(m.Now.Time, d.At), yellow},
		})
	}
	return align(rows)
}

func (p *page) commands(m *Model) []row {
	var rows []row
	for _, c := range m.Commands {
		rows = append(rows, row{{c.Line, cyan}, {"# " + c.Why, dim}})
	}
	return align(rows)
}
