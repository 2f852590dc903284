package view

import (
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// commandsOf says what the reader may want to do next. Nothing is offered that would be refused.
func commandsOf(in Input, m *Model, unit v1alpha1.UnitStatus) []Command {
	line := func(verb, flags string) string {
		out := "kubectl lockstep " + verb + " " + m.Name
		if m.Namespace != in.Namespace {
			out += " -n " + m.Namespace
		}
		return out + flags
	}
	switch {
	case unit.Step != nil && wayBack(unit.Step.Kind):
		return nil
	case unit.ActiveRelease != "":
		return activeCommands(m, unit, line)
	}
	if LiveDeleted(&in.Stack, in.Releases) != "" {
		return []Command{{line("release", chosen(&in.Stack)), "release anew what users should be on"}}
	}
	out := append(lastCommands(in, m, line), warmCommands(m, line)...)
	if len(out) == 0 && len(m.Queued) == 0 {
		out = []Command{{line("release", ""), m.offer}}
	}
	return out
}

func wayBack(kind v1alpha1.StepKind) bool {
	return kind == v1alpha1.StepAbort || kind == v1alpha1.StepRollback
}

func activeCommands(m *Model, unit v1alpha1.UnitStatus, line func(verb, flags string) string) []Command {
	abort := Command{line("abort", ""), "give " + unit.ActiveRelease + " up; " + stay(m)}
	if unit.Step == nil || unit.Step.Kind != v1alpha1.StepHold {
		return []Command{abort}
	}
	return []Command{{line("promote", ""), "move users to " + unit.ActiveRelease}, abort}
}

func stay(m *Model) string {
	if m.LiveSlot == "" {
		return "no users are on it yet"
	}
	return "users stay on " + m.LiveSlot
}

// lastCommands try the last release again, where that can be done: inline objects that have changed since are gone.
func lastCommands(in Input, m *Model, line func(verb, flags string) string) []Command {
	r := m.Last
	switch {
	case r == nil, inlineHash.MatchString(r.Revision) && r.Revision != plan.InlineRevision(in.Stack.Spec.Source):
		return nil
	case r.Of == "":
		return []Command{{line("retry", " --release "+r.Name), "try " + r.Name + " again, once its cause is gone"}}
	}
	if of := find(in.Releases, r.Of); of != nil && plan.WasServed(of) {
		return []Command{{line("rollback", " --to "+r.Of), "try to go back to " + r.Of + " again, once its cause is gone"}}
	}
	return nil
}

func warmCommands(m *Model, line func(verb, flags string) string) []Command {
	i := slices.IndexFunc(m.Slots, func(s Slot) bool { return s.State == v1alpha1.SlotWarm })
	if i < 0 {
		return nil
	}
	to := m.Slots[i].Release
	if to == "" {
		to = "what ran before"
	}
	return []Command{
		{line("rollback", ""), "take users back to " + to + " in " + m.Slots[i].Name + ", which is kept warm"},
		{line("retire", ""), "give " + m.Slots[i].Name + " up now"},
	}
}

func offered(s *v1alpha1.Stack) string {
	if s.Spec.Source.Inline != nil {
		return "release the objects that the Stack holds"
	}
	return "release the head of the branch"
}
