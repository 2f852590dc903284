package view

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func slotsOf(in Input) []Slot {
	var out []Slot
	for _, st := range slotStatuses(&in.Stack) {
		s := Slot{
			Name: st.Name, Namespace: st.Namespace, State: st.State, Release: st.Release, Proof: st.Proof,
			Since: st.Since, Reason: st.Reason, Message: st.Message,
		}
		release := find(in.Releases, st.Release)
		if release != nil && release.Status.Started != nil {
			s.Commit = release.Status.Started.Commit
		}
		if s.State == v1alpha1.SlotIdle {
			s.Proof = ""
		}
		objects, read := in.Objects[st.Name]
		s.Problem = objects.Problem
		s.Members = membersOf(memberInput{
			stack: &in.Stack, slot: s, release: release, known: knownMembers(in), objects: objects, read: read && objects.Problem == "",
		})
		out = append(out, s)
	}
	return out
}

// slotStatuses joins the slots of the spec with what is known of them, and keeps those that are only known.
func slotStatuses(s *v1alpha1.Stack) []v1alpha1.SlotStatus {
	var out []v1alpha1.SlotStatus
	for _, slot := range Slots(s) {
		i := slices.IndexFunc(s.Status.Slots, func(st v1alpha1.SlotStatus) bool { return st.Name == slot.Name })
		if i < 0 {
			out = append(out, v1alpha1.SlotStatus{Name: slot.Name, Namespace: slot.Namespace})
			continue
		}
		st := s.Status.Slots[i]
		st.Namespace = slot.Namespace
		out = append(out, st)
	}
	for _, st := range s.Status.Slots {
		if !slices.ContainsFunc(out, func(o v1alpha1.SlotStatus) bool { return o.Name == st.Name }) {
			out = append(out, st)
		}
	}
	return out
}

// Slots of a Stack, with the default where it names none.
func Slots(s *v1alpha1.Stack) []v1alpha1.Slot {
	if len(s.Spec.Slots) > 0 {
		return s.Spec.Slots
	}
	return []v1alpha1.Slot{
		{Name: "blue", Namespace: s.Namespace + "-blue"},
		{Name: "green", Namespace: s.Namespace + "-green"},
	}
}

// knownMembers are the names that any release or the spec knows: in a slot that was found, and not released by Lockstep,
// nothing but the name tells a member.
func knownMembers(in Input) map[string]bool {
	known := map[string]bool{}
	for _, m := range in.Stack.Spec.Members {
		known[m.Name] = true
	}
	for _, r := range in.Releases {
		if r.Status.Started == nil {
			continue
		}
		for _, m := range r.Status.Started.Members {
			known[m.Name] = true
		}
	}
	return known
}

type memberInput struct {
	stack   *v1alpha1.Stack
	slot    Slot
	release *v1alpha1.Release
	known   map[string]bool
	objects SlotObjects
	read    bool
}

func (in memberInput) ours(o metav1.ObjectMeta) bool {
	if stack, labelled := o.Labels[v1alpha1.LabelStack]; labelled {
		return stack == in.stack.Name
	}
	return in.known[o.Name]
}

func (in memberInput) roleOf(kind, name string) v1alpha1.Role {
	if in.release != nil && in.release.Status.Started != nil {
		for _, m := range in.release.Status.Started.Members {
			if m.Name == name && m.Kind == kind {
				return m.Role
			}
		}
	}
	for _, m := range in.stack.Spec.Members {
		if m.Name == name && m.Role != "" {
			return m.Role
		}
	}
	if kind == "CronJob" {
		return v1alpha1.RoleWorker
	}
	return v1alpha1.RoleService
}

func membersOf(in memberInput) []Member {
	found := foundMembers(in)
	for i := range found {
		found[i] = in.finish(found[i])
	}
	out := append(found, in.missing(found)...)
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.Name+"/"+a.Kind, b.Name+"/"+b.Kind) })
	if in.slot.State == v1alpha1.SlotIdle && !slices.ContainsFunc(out, func(m Member) bool { return m.Ready > 0 || m.Desired > 0 }) {
		return nil
	}
	return out
}

func (in memberInput) finish(m Member) Member {
	m.Role = in.roleOf(m.Kind, m.Name)
	if m.Role == v1alpha1.RoleWorker && in.slot.State != v1alpha1.SlotLive && in.slot.State != "" {
		m.Asleep = m.Desired == 0
		m.Untested = in.slot.State == v1alpha1.SlotPreview
	}
	m.Waits = m.Role != v1alpha1.RoleWorker && m.Found && m.Desired == 0 && in.deploying()
	return m
}

// deploying is whether the active release is being deployed to the slot.
func (in memberInput) deploying() bool {
	return slices.ContainsFunc(in.stack.Status.Units, func(u v1alpha1.UnitStatus) bool {
		return u.ActiveSlot == in.slot.Name && u.Step != nil && u.Step.Kind == v1alpha1.StepDeploy
	})
}

// missing are members of the slot's release that are not there: not applied yet, removed by hand, or not readable.
func (in memberInput) missing(found []Member) []Member {
	if in.release == nil || in.release.Status.Started == nil {
		return nil
	}
	var out []Member
	for _, m := range in.release.Status.Started.Members {
		if slices.ContainsFunc(found, func(f Member) bool { return f.Name == m.Name && f.Kind == m.Kind }) {
			continue
		}
		missing := Member{Name: m.Name, Kind: m.Kind, Images: m.Images, Desired: m.Replicas}
		missing = in.finish(missing)
		if in.read && (missing.Role != v1alpha1.RoleWorker || !missing.Untested) {
			missing.Problem = "not there"
		}
		if in.slot.State != v1alpha1.SlotIdle {
			out = append(out, missing)
		}
	}
	return out
}
