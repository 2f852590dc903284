package apply

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// switchboard answers connections as it is told to.
type switchboard struct {
	mutex  sync.Mutex
	dialed []string
	answer func(ctx context.Context, address string) error
}

func (b *switchboard) dial(ctx context.Context, _, address string) (net.Conn, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.dialed = append(b.dialed, address)
	if err := b.answer(ctx, address); err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	return ours, theirs.Close()
}

func refusal(address string) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connect to %s: %w", address, syscall.ECONNREFUSED)}
}

func TestDial(t *testing.T) {
	for name, test := range map[string]struct {
		answer  func(begun time.Time, address string) error
		silent  string
		refused string
	}{
		"at once": {answer: func(time.Time, string) error { return nil }},
		"one port is not in use": {answer: func(_ time.Time, address string) error {
			return only(strings.HasSuffix(address, ":90"), refusal(address))
		}},
		"once the nodes know it": {answer: func(begun time.Time, address string) error {
			return only(time.Since(begun) > 7*time.Second, refusal(address))
		}},
		"never":    {answer: func(_ time.Time, address string) error { return refusal(address) }, refused: "turns callers away"},
		"kept out": {answer: func(time.Time, string) error { return context.DeadlineExceeded }, silent: "Service web"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				board := &switchboard{answer: func(_ context.Context, address string) error { return test.answer(begun, address) }}
				silent, err := New(Options{Dial: board.dial}).dial(t.Context(), door{service: "web", addresses: []string{"10.96.0.7:80", "10.96.0.7:90"}})
				if silent != test.silent {
					t.Errorf("silent = %q, want %q", silent, test.silent)
				}
				if (err != nil) != (test.refused != "") || err != nil && (reasonOf(err) != v1alpha1.ReasonServiceSilent || !strings.Contains(err.Error(), test.refused)) {
					t.Errorf("err = %v, want %q", err, test.refused)
				}
			})
		})
	}
}

func only(ok bool, otherwise error) error {
	if ok {
		return nil
	}
	return otherwise
}

func TestDialEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		board := &switchboard{answer: func(_ context.Context, address string) error { return refusal(address) }}
		_, err := New(Options{Dial: board.dial}).dial(ctx, door{service: "web", addresses: []string{"10.96.0.7:80"}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestDoors(t *testing.T) {
	local := corev1.ServiceInternalTrafficPolicyLocal
	service := func(name, ip string, ports ...corev1.ServicePort) corev1.Service {
		s := corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: ip, Ports: ports}}
		s.Name = name
		return s
	}
	tcp := func(port int32) corev1.ServicePort {
		return corev1.ServicePort{Port: port, Protocol: corev1.ProtocolTCP}
	}
	nodeLocal := service("web", "10.96.0.3", tcp(80))
	nodeLocal.Spec.InternalTrafficPolicy = &local
	release := &v1alpha1.Release{Status: v1alpha1.ReleaseStatus{Started: &v1alpha1.ReleaseStarted{Members: []v1alpha1.ReleaseMember{
		{Name: "web", Role: v1alpha1.RoleService, Services: []string{"web", "web-v6"}},
		{Name: "mailer", Role: v1alpha1.RoleWorker, Services: []string{"mailer"}},
	}}}}
	got := doorsOf(release, []corev1.Service{
		service("web", "10.96.0.1", tcp(80), corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolUDP}, tcp(81)),
		service("web-v6", "fd00::1", tcp(80)),
		service("web", corev1.ClusterIPNone, tcp(80)),
		service("web", "10.96.0.2", corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolUDP}),
		nodeLocal,
		service("mailer", "10.96.0.4", tcp(80)),
		service("strange", "10.96.0.5", tcp(80)),
	})
	want := []door{{"web", []string{"10.96.0.1:80", "10.96.0.1:81"}}, {"web-v6", []string{"[fd00::1]:80"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(door{})); diff != "" {
		t.Errorf("doors (-want +got):\n%s", diff)
	}
}

func TestDialServices(t *testing.T) {
	w, ref := deployed(t, frontend)
	board := &switchboard{answer: func(context.Context, string) error { return nil }}
	w.applier.Dial = board.dial
	w.ok(plan.DialServices{Release: ref, Slot: "green", Attempt: 1})
	if len(board.dialed) == 0 {
		t.Error("nothing was dialled")
	}
}
