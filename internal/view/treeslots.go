package view

import (
	"fmt"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func (p *page) slots(m *Model) []row {
	var heads, members []row
	for _, s := range m.Slots {
		heads = append(heads, p.slot(m, s))
		for i, member := range s.Members {
			members = append(members, p.member(member, i == len(s.Members)-1))
		}
	}
	heads, members = align(heads), align(members)
	var out []row
	for i, s := range m.Slots {
		out = append(append(out, heads[i]), p.slotNotes(s)...)
		for n, member := range s.Members {
			out = append(append(out, members[n]), p.memberNotes(member, n == len(s.Members)-1)...)
		}
		members = members[len(s.Members):]
	}
	return out
}

func (p *page) slot(m *Model, s Slot) row {
	state := string(s.State)
	if state == "" {
		state = "Unknown"
	}
	r := row{{s.Name, bold}, {state, slotStyle(s.State)}, {s.Release, holdStyle(s.State)}, {Short(s.Commit), dim}, {string(s.Proof), dim}, {Age(m.Now.Time, s.Since), dim}}
	if p.look.Wide {
		r = append(r, cell{s.Namespace, dim})
	}
	return append(r, cell{s.Reason, yellow})
}

// holdStyle is for the release of a slot: an idle one held it last, and does no more.
func holdStyle(state v1alpha1.SlotState) style {
	if state == v1alpha1.SlotIdle {
		return dim
	}
	return plain
}

func slotStyle(state v1alpha1.SlotState) style {
	switch state {
	case v1alpha1.SlotLive:
		return green
	case v1alpha1.SlotPreview:
		return cyan
	case v1alpha1.SlotWarm, v1alpha1.SlotDraining, v1alpha1.SlotRetiring:
		return yellow
	case v1alpha1.SlotIdle:
		return dim
	}
	return yellow
}

func (p *page) slotNotes(s Slot) []row {
	var out []row
	if s.Message != "" {
		out = p.wrap(s.Message, 2, plain)
	}
	if s.Problem != "" {
		out = append(out, p.wrap("! "+s.Problem, 2, yellow)...)
	}
	return out
}

// member puts first what matters most: a narrow terminal cuts the rest off.
func (p *page) member(m Member, last bool) row {
	branch := "├─ "
	if last {
		branch = "└─ "
	}
	kind := m.Kind
	if m.Role == v1alpha1.RoleWorker {
		kind += " (Worker)"
	}
	text, colour := readiness(m)
	return row{{branch + m.Name, plain}, {text, colour}, {shortImages(m.Images, p.look.Wide), plain}, {kind, dim}}
}

func (p *page) memberNotes(m Member, last bool) []row {
	if m.Problem == "" {
		return nil
	}
	stem := "│    "
	if last {
		stem = "     "
	}
	var out []row
	for _, r := range p.wrap("! "+m.Problem, len(stem), red) {
		out = append(out, row{{stem, plain}, {strings.TrimSpace(r[0].text), red}})
	}
	return out
}

func readiness(m Member) (string, style) {
	var words []string
	switch {
	case m.Asleep || m.Untested:
		if m.Asleep {
			words = append(words, "asleep")
		}
		if m.Untested {
			words = append(words, "untested")
		}
		return strings.Join(words, ", "), dim
	case m.Waits:
		return "waits", dim
	case !m.Found && m.Problem == "":
		return fmt.Sprintf("?/%d", m.Desired), dim
	case m.Kind == "CronJob" && m.Found:
		return cronState(m), plain
	case m.Ready < m.Desired || !m.Found:
		return fmt.Sprintf("%d/%d", m.Ready, m.Desired), yellow
	}
	return fmt.Sprintf("%d/%d", m.Ready, m.Desired), green
}

func cronState(m Member) string {
	if m.Desired == 0 {
		return "suspended"
	}
	return "scheduled"
}
