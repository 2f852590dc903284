package apply

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// proofs remember, for each slot, the objects that were last found to be as they were frozen: to compare them again, it is
// enough to see that they have not changed since.
type proofs struct {
	mutex sync.Mutex
	known map[proofKey]*proof
}

type proofKey struct {
	stack types.NamespacedName
	slot  string
}

// proof is of one release in one slot.
type proof struct {
	release types.UID

	mutex   sync.Mutex
	objects map[objectKey]compared
	// whole is how many objects the content has; 0 until all of them were compared.
	whole int
}

// compared is an object as it was when it was last found to be as it was frozen.
type compared struct {
	sum [sha256.Size]byte
	// version is its resourceVersion: while it stays, nothing has changed.
	version string
}

type objectKey struct {
	kind schema.GroupVersionKind
	name types.NamespacedName
}

func keyOf(o *unstructured.Unstructured) objectKey {
	return objectKey{o.GroupVersionKind(), client.ObjectKeyFromObject(o)}
}

// of is the proof of a release in a slot. That of a former release is forgotten.
func (p *proofs) of(stack *v1alpha1.Stack, slot string, release *v1alpha1.Release) *proof {
	if release == nil {
		return nil
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	key := proofKey{client.ObjectKeyFromObject(stack), slot}
	if known := p.known[key]; known != nil && known.release == release.UID {
		return known
	}
	if p.known == nil {
		p.known = map[proofKey]*proof{}
	}
	made := &proof{release: release.UID, objects: map[objectKey]compared{}}
	p.known[key] = made
	return made
}

// Forget drops what is remembered of a Stack that is gone.
func (a *Applier) Forget(stack types.NamespacedName) {
	a.proofs.mutex.Lock()
	defer a.proofs.mutex.Unlock()
	maps.DeleteFunc(a.proofs.known, func(key proofKey, _ *proof) bool { return key.stack == stack })
}

// holds is whether live is as it was when it was compared.
func (p *proof) holds(want, live *unstructured.Unstructured) bool {
	if p == nil {
		return false
	}
	sum, err := fingerprint(live)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	was, known := p.objects[keyOf(want)]
	if err != nil || !known || was.sum != sum {
		return false
	}
	p.objects[keyOf(want)] = compared{sum, live.GetResourceVersion()}
	return true
}

// keep remembers that live was found to be as it was frozen.
func (p *proof) keep(want, live *unstructured.Unstructured) error {
	if p == nil {
		return nil
	}
	sum, err := fingerprint(live)
	if err != nil {
		return err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.objects[keyOf(want)] = compared{sum, live.GetResourceVersion()}
	return nil
}

// appliedTo remembers an object as applying its content has just left it: comparing it would be applying it again. Not so where
// something was added that changes what runs, which the comparison tells of.
func (w *slotWork) appliedTo(applied *unstructured.Unstructured) error {
	added, err := additions(applied)
	if err != nil || len(added) > 0 {
		return err
	}
	return w.proof.keep(applied, applied)
}

// complete remembers that all objects were compared, and found to be as they were frozen.
func (p *proof) complete(objects int) {
	if p == nil {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.whole = objects
}

// all are the keys of the objects, where every one of them was compared.
func (p *proof) all() []objectKey {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.whole == 0 || len(p.objects) != p.whole {
		return nil
	}
	keys := make([]objectKey, 0, len(p.objects))
	for key := range p.objects {
		keys = append(keys, key)
	}
	return keys
}

// fingerprint is of what a comparison looks at.
func fingerprint(live *unstructured.Unstructured) ([sha256.Size]byte, error) {
	raw, err := json.Marshal(comparable(live))
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("reading %s: %w", nameOf(live), err)
	}
	return sha256.Sum256(raw), nil
}

// proveWithin bounds how long a proof may take that is made while everything waits for it.
const proveWithin = 500 * time.Millisecond

// Prove reports whether the slot runs what was frozen for the release, and each of its Services answers, as far as that
// can be told by looking at it once: objects that were compared before must not have changed since. Of those that were seen
// just now that shows by their resourceVersion; others are read. What it cannot tell, VerifyContent and DialServices find out.
func (a *Applier) Prove(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slotName string, seen []client.Object) bool {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	known := a.proofs.of(stack, slotName, release)
	keys := known.all()
	team, err := a.team(stack)
	if err != nil || len(keys) == 0 || len(seen) == 0 {
		return false
	}
	versions := a.versionsOf(seen)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compareAtOnce)
	for _, door := range doorsOf(release, servicesAmong(seen)) {
		group.Go(func() error { return a.knock(ctx, door) })
	}
	for _, key := range keys {
		if !known.isAt(key, versions[key]) {
			group.Go(func() error { return known.still(ctx, team, key) })
		}
	}
	return group.Wait() == nil
}

// versionsOf are the resourceVersions of objects.
func (a *Applier) versionsOf(seen []client.Object) map[objectKey]string {
	versions := map[objectKey]string{}
	for _, o := range seen {
		if kind, err := a.Client.GroupVersionKindFor(o); err == nil {
			versions[objectKey{kind, client.ObjectKeyFromObject(o)}] = o.GetResourceVersion()
		}
	}
	return versions
}

func servicesAmong(seen []client.Object) []corev1.Service {
	var services []corev1.Service
	for _, o := range seen {
		if s, ok := o.(*corev1.Service); ok {
			services = append(services, *s)
		}
	}
	return services
}

// isAt is whether the object was compared at that resourceVersion.
func (p *proof) isAt(key objectKey, version string) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return version != "" && p.objects[key].version == version
}

// still fails where the object is not as it was when it was compared.
func (p *proof) still(ctx context.Context, team client.Client, key objectKey) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(key.kind)
	if err := team.Get(ctx, key.name, live); err != nil {
		return fmt.Errorf("reading %s %s: %w", key.kind.Kind, key.name, err)
	}
	if !p.holds(live, live) {
		return fmt.Errorf("%s has changed", nameOf(live))
	}
	return nil
}
