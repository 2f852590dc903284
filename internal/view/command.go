package view

import (
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// commandsOf says what the reader may want to do next. Nothing is offered that would be refused.
func commandsOf(m *Model, unit v1alpha1.UnitStatus, here string) []Command {
	line := func(verb, flags string) string {
		out := "kubectl lockstep " + verb + " " + m.Name
		if m.Namespace != here {
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
	out := warmCommands(m, line)
	if m.Last != nil {
		out = append([]Command{{line("release", retryFlags(m.Last)), "try " + m.Last.Name + " again, once its cause is gone"}}, out...)
	}
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

func retryFlags(r *Release) string {
	var words []string
	if r.Revision != "" && !inlineHash.MatchString(r.Revision) {
		words = append(words, "--revision", r.Revision)
	}
	for _, i := range r.Images {
		words = append(words, "--image", i)
	}
	return " " + strings.Join(append(words, "--retry"), " ")
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
