// Package apply carries out the actions of a plan, one file for each kind.
//
// What people must change (a missing right, an object that the API server refuses, a Git repository that does not
// answer to its password) comes back as an Observation, so that the release says what is wrong and stops trying. What
// passes by itself (timeouts, conflicts, a busy API server) comes back as an error, and the next pass observes again.
//
// Content, routes and Git credentials are touched with the rights of the Stack's ServiceAccount; Lockstep's own kinds,
// frozen content, Namespaces and RoleBindings with the controller's.
package apply

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/fair"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Options of an Applier.
type Options struct {
	// Client has the controller's own rights, and reads from the API server and not from a cache.
	Client client.Client
	// Config of the cluster, from which clients with the rights of ServiceAccounts are made.
	Config *rest.Config
	// ControllerNamespace holds the frozen content.
	ControllerNamespace string
	// WorkDir holds checkouts while they are rendered. Default: the system's.
	WorkDir string
	// AllowFileURLs permits repositories on the disk of this process.
	AllowFileURLs bool
	// Clock tells the time. Default: time.Now.
	Clock func() time.Time
	// Dial connects to Services from inside the cluster. Default: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Applier carries out actions. It can be used from several goroutines.
type Applier struct {
	Options

	mutex sync.Mutex
	teams map[string]client.Client
	// proofs are what was compared with frozen content, slot by slot.
	proofs proofs
	// children are the processes that render.
	children *fair.Places
}

// New returns an Applier.
func New(o Options) *Applier {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Applier{Options: o, teams: map[string]client.Client{}, children: fair.New(childrenAtOnce, childrenOfOne)}
}

// Do carries out one action. The Snapshot is the one that it was planned from, with the status that was saved since.
// Doing an action twice is doing it once.
func (a *Applier) Do(ctx context.Context, s *plan.Snapshot, action plan.Action) ([]v1alpha1.Observation, error) {
	result, err := a.do(ctx, s, action)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", action.Verb(), action.Object(), err)
	}
	tell(log.FromContext(ctx), action, result)
	return result, nil
}

// tell logs what was done: for each effect a line. Whoever asks for it puts Stack, release and step into the logger.
func tell(logger logr.Logger, action plan.Action, result []v1alpha1.Observation) {
	logger = logger.WithValues("verb", action.Verb(), "object", action.Object())
	for _, o := range result {
		if !o.OK {
			logger.Info("refused", "reason", o.Reason, "message", o.Message)
			return
		}
	}
	logger.Info("done", "why", action.Why())
}

func (a *Applier) do(ctx context.Context, s *plan.Snapshot, action plan.Action) ([]v1alpha1.Observation, error) {
	switch act := action.(type) {
	case plan.RenderRelease:
		warnings, err := a.renderRelease(ctx, s, act)
		return a.observe(s, about{key: "render", release: act.Release, attempt: act.Attempt, message: warnings}, err)
	case plan.PrepareSlot:
		return a.observeFailure(s, a.aboutActive(s, "prepare/"+act.Slot), a.prepareSlot(ctx, s, act))
	case plan.Preflight:
		seen, err := a.preflight(ctx, s, act)
		return a.observe(s, about{key: "preflight", release: act.Release, attempt: act.Attempt, reason: seen.reason, message: seen.message}, err)
	case plan.ApplyBase:
		return a.observe(s, about{key: "base", release: act.Release, attempt: act.Attempt}, a.applyBase(ctx, s, act))
	case plan.ApplyMember:
		return a.observeFailure(s, about{key: "apply/" + act.Name, release: act.Release, attempt: act.Attempt}, a.applyMember(ctx, s, act))
	case plan.VerifyContent:
		return a.observe(s, about{key: "verify", release: act.Release, attempt: act.Attempt}, a.verifyContent(ctx, s, act))
	case plan.DialServices:
		unasked, err := a.dialServices(ctx, s, act)
		return a.observe(s, about{key: "dial", release: act.Release, attempt: act.Attempt, message: unasked}, err)
	case plan.Scale:
		return a.observeFailure(s, a.aboutActive(s, "scale/"+act.Slot+"/"+act.Name), a.scale(ctx, s, act))
	case plan.ScaleMinimum:
		return a.observeFailure(s, a.aboutActive(s, "minimum/"+act.Slot+"/"+act.Name), a.scaleMinimum(ctx, s, act))
	case plan.WriteEntry:
		if err := a.writeEntry(ctx, s, act); err != nil {
			return a.observeFailure(s, a.aboutActive(s, "entry/"+act.Entry), err)
		}
		return a.observe(s, a.aboutActive(s, plan.WroteKey(act.Entry)), nil)
	case plan.TryEntries:
		untried, err := a.tryEntries(ctx, s, act)
		return a.observe(s, about{key: "entries", release: act.Release, attempt: act.Attempt, message: untried}, err)
	}
	return nil, a.record(ctx, s, action)
}

// record carries out the actions that write Lockstep's own kinds.
func (a *Applier) record(ctx context.Context, s *plan.Snapshot, action plan.Action) error {
	switch act := action.(type) {
	case plan.TakeTurn:
		return a.takeTurn(ctx, s, act)
	case plan.GiveTurn:
		return a.giveTurn(ctx, s, act)
	case plan.EndRelease:
		return a.endRelease(ctx, s, act)
	case plan.CopyContent:
		return a.copyContent(ctx, s, act)
	case plan.CreateRelease:
		return a.createRelease(ctx, s, act)
	case plan.DeleteRelease:
		return a.deleteRelease(ctx, s, act)
	case plan.AnswerDecision:
		return a.answerDecision(ctx, s, act)
	}
	return fmt.Errorf("this build does not know the action %T", action)
}

// about is what an Observation is of.
type about struct {
	key     string
	release plan.ReleaseRef
	attempt int32
	// reason and message for people, where it went well.
	reason, message string
}

// aboutActive is for actions that are not bound to a release: their failure belongs to the active one.
func (a *Applier) aboutActive(s *plan.Snapshot, key string) about {
	result := about{key: key}
	unit := unitOf(s)
	if unit == nil || unit.Step == nil {
		return result
	}
	result.attempt = unit.Step.Attempt
	if r := releaseNamed(s, unit.ActiveRelease); r != nil {
		result.release = plan.ReleaseRef{Name: r.Name, UID: r.UID}
	}
	return result
}

// observe makes an Observation of success and of refusals; other errors pass through.
func (a *Applier) observe(s *plan.Snapshot, of about, err error) ([]v1alpha1.Observation, error) {
	if err == nil {
		return []v1alpha1.Observation{a.observation(s, of)}, nil
	}
	return a.observeFailure(s, of, err)
}

// observeFailure makes an Observation of refusals only: success is seen in the cluster.
func (a *Applier) observeFailure(s *plan.Snapshot, of about, err error) ([]v1alpha1.Observation, error) {
	var no *Refusal
	if !errors.As(err, &no) {
		return nil, err
	}
	o := a.observation(s, of)
	o.OK, o.Reason, o.Message = false, no.reason, shorten(no.message, maxMessage)
	return []v1alpha1.Observation{o}, nil
}

func (a *Applier) observation(s *plan.Snapshot, of about) v1alpha1.Observation {
	o := v1alpha1.Observation{Key: of.key, Release: of.release.UID, Attempt: of.attempt, OK: true, Reason: of.reason, Message: shorten(of.message, maxMessage), At: a.now()}
	if unit := unitOf(s); unit != nil && unit.Step != nil {
		o.Step = unit.Step.Kind
	}
	return o
}

func (a *Applier) now() metav1.Time { return metav1.NewTime(a.Clock()) }

func unitOf(s *plan.Snapshot) *v1alpha1.UnitStatus {
	if len(s.Stack.Status.Units) == 0 {
		return nil
	}
	return &s.Stack.Status.Units[0]
}

func releaseNamed(s *plan.Snapshot, name string) *v1alpha1.Release {
	for i := range s.Releases {
		if s.Releases[i].Name == name {
			return &s.Releases[i]
		}
	}
	return nil
}

// releaseOf is the Release that an action was planned for.
func releaseOf(s *plan.Snapshot, ref plan.ReleaseRef) (*v1alpha1.Release, error) {
	r := releaseNamed(s, ref.Name)
	if r == nil || r.UID != ref.UID {
		return nil, fmt.Errorf("release %s with uid %s is not in the snapshot", ref.Name, ref.UID)
	}
	return r, nil
}

// slotOf is the slot that an action was planned for.
func slotOf(s *plan.Snapshot, name string) (v1alpha1.Slot, error) {
	for _, slot := range s.Stack.Spec.Slots {
		if slot.Name == name {
			return slot, nil
		}
	}
	for _, slot := range s.Slots {
		if slot.Name == name {
			return v1alpha1.Slot{Name: name, Namespace: slot.Namespace}, nil
		}
	}
	return v1alpha1.Slot{}, refuse(v1alpha1.ReasonSlotGone, "slot %s is not in spec.slots of the Stack (any more); put it back", name)
}
