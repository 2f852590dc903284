package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// renderAll renders every slot. It is what the child does.
func renderAll(req *Request) (result *Result, err error) {
	c, dir, err := enter(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	slots, err := c.slots(dir, req)
	if err != nil {
		return nil, err
	}
	result, err = assemble(req, slots)
	if err != nil {
		return nil, err
	}
	result.Dependencies = c.usedOutside(dir)
	return result, nil
}

// dependencies finds what a render would depend on outside its path, without rendering.
func dependencies(req *Request) (paths []string, err error) {
	c, dir, err := enter(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, slot := range req.Slots {
		if err := c.follow(dir, req, slot); err != nil {
			return nil, err
		}
	}
	return c.usedOutside(dir), nil
}

// follow reads what a slot is rendered from. Only Kustomize has to build for that: what a kustomization names, and what
// a base of it names, shows as it is read.
func (c *checkout) follow(dir string, req *Request, slot v1alpha1.Slot) error {
	if req.Source.Helm == nil {
		_, err := c.objects(dir, req, slot)
		return err
	}
	if _, err := c.loadChart(dir); err != nil {
		return err
	}
	_, err := c.values(dir, req, slot)
	return err
}

// enter opens the checkout and finds the path in it; inline objects have none.
func enter(req *Request) (*checkout, string, error) {
	if len(req.Slots) == 0 || !oneRenderer(req.Source) {
		return nil, "", errors.New("a render needs slots, and exactly one of source.inline, source.helm, source.kustomize and source.plain")
	}
	if req.Source.Inline != nil {
		return &checkout{}, ".", nil
	}
	dir, err := join("source.git.path", ".", req.Path)
	if err != nil {
		return nil, "", err
	}
	c, err := openCheckout(req.Root)
	if err != nil {
		return nil, "", err
	}
	if err := c.find(dir); err != nil {
		return nil, "", errors.Join(err, c.Close())
	}
	return c, dir, nil
}

func oneRenderer(s v1alpha1.Source) bool {
	set := 0
	for _, is := range []bool{s.Inline != nil, s.Helm != nil, s.Kustomize != nil, s.Plain != nil} {
		if is {
			set++
		}
	}
	return set == 1
}

func (c *checkout) find(dir string) error {
	info, err := c.stat(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return refuse(v1alpha1.ReasonPathMissing, "there is no %s in the repository at this commit; correct source.git.path, or choose a revision that has it", dir)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return refuse(v1alpha1.ReasonPathMissing, "%s is a file; set source.git.path to the directory that holds the chart or the manifests", dir)
	}
	return c.use(dir)
}

func (c *checkout) slots(dir string, req *Request) ([]slotContent, error) {
	var result []slotContent
	for _, slot := range req.Slots {
		objects, err := c.objects(dir, req, slot)
		if err != nil {
			return nil, err
		}
		content, err := prepare(req, slot, objects)
		if err != nil {
			return nil, err
		}
		result = append(result, content)
	}
	return result, nil
}

func (c *checkout) objects(dir string, req *Request, slot v1alpha1.Slot) ([]object, error) {
	switch {
	case req.Source.Inline != nil:
		return inline(req, slot)
	case req.Source.Helm != nil:
		return c.helm(dir, req, slot)
	case req.Source.Kustomize != nil:
		return c.kustomize(dir, req, slot)
	}
	return c.plain(dir)
}

// prepare checks what was rendered for a slot, and brings it into its final form.
func prepare(req *Request, slot v1alpha1.Slot, objects []object) (slotContent, error) {
	objects = leaveOut(objects, req.Ignore)
	if limit := req.Limits.withDefaults().Objects; len(objects) > limit {
		return slotContent{}, refuse(v1alpha1.ReasonContentTooLarge, "slot %s: the manifests hold %d objects, where %d are allowed; split the stack", slot.Name, len(objects), limit)
	}
	for _, check := range []func() error{
		func() error { return classify(objects, slot) },
		func() error { return duplicates(objects) },
		func() error { return overrideImages(objects, req.Images) },
		func() error { return crossReferences(objects, slot, req.Slots) },
	} {
		if err := check(); err != nil {
			return slotContent{}, err
		}
	}
	for _, o := range objects {
		canonical(o, slot.Namespace)
	}
	sortObjects(objects)
	found, err := members(objects, req.Members)
	if err != nil {
		return slotContent{}, err
	}
	return slotContent{slot, objects, found}, checkSpec(req.Members, found)
}

func assemble(req *Request, slots []slotContent) (*Result, error) {
	if err := sameMembers(slots); err != nil {
		return nil, err
	}
	warnings, err := differences(slots)
	if err != nil {
		return nil, err
	}
	result := &Result{Members: merged(slots), Warnings: warnings}
	for _, s := range slots {
		objects := bare(s.objects)
		if err := freezable(objects); err != nil {
			return nil, err
		}
		digest, err := SizelessDigest(objects)
		if err != nil {
			return nil, err
		}
		result.Slots = append(result.Slots, SlotResult{Slot: s.slot.Name, Objects: objects, Digest: digest})
	}
	result.Digest, err = digestOfAll(req, result)
	return result, err
}

// digestOfAll combines what makes a release, but for sizes.
func digestOfAll(req *Request, result *Result) (string, error) {
	type slotDigest struct{ Slot, Digest string }
	all := struct {
		Renderer string
		Images   []v1alpha1.ImageOverride
		Members  []v1alpha1.ReleaseMember
		Slots    []slotDigest
	}{Renderer: RendererVersion, Images: req.Images}
	for _, m := range result.Members {
		m.Replicas = 0
		all.Members = append(all.Members, m)
	}
	for _, s := range result.Slots {
		all.Slots = append(all.Slots, slotDigest{s.Slot, s.Digest})
	}
	content, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("encoding digests: %w", err)
	}
	return digestOf(content), nil
}
