package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

const shopRepo = "../../examples/shop/repo"

var shopMembers = []v1alpha1.Member{
	{Name: "frontend", Role: v1alpha1.RoleService, DependsOn: []v1alpha1.Dependency{{Name: "catalog"}, {Name: "cart"}}},
	{Name: "cart", Role: v1alpha1.RoleService, DependsOn: []v1alpha1.Dependency{{Name: "catalog"}}},
	{Name: "ledger", Role: v1alpha1.RoleWorker},
}

func shopRequest() Request {
	req := helmRequest(shopRepo, "apps/shop", "values.yaml", "values-$(slot).yaml")
	req.Members = shopMembers
	return req
}

func TestShopIsRenderedInAChild(t *testing.T) {
	got, err := Run(t.Context(), shopRequest())
	if err != nil {
		t.Fatal(err)
	}
	want := []v1alpha1.ReleaseMember{
		{Name: "cart", Kind: "Deployment", Role: "Service", Replicas: 1, Images: []string{"lockstep.dev/shop/cart:1.0.0"}, Services: []string{"cart"}, DependsOn: []string{"catalog"}},
		{Name: "catalog", Kind: "Deployment", Role: "Service", Replicas: 1, Images: []string{"lockstep.dev/shop/catalog:1.0.0"}, Services: []string{"catalog"}},
		{Name: "frontend", Kind: "Deployment", Role: "Service", Replicas: 2, Images: []string{"lockstep.dev/shop/frontend:1.0.0"}, Services: []string{"frontend"}, DependsOn: []string{"catalog", "cart"}},
		{Name: "ledger", Kind: "Deployment", Role: "Worker", Replicas: 1, Images: []string{"lockstep.dev/shop/ledger:1.0.0"}},
	}
	if diff := cmp.Diff(want, got.Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"charts/cart", "charts/catalog", "charts/frontend", "charts/ledger"}, got.Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if len(got.Slots) != 2 || len(got.Slots[0].Objects) != 7 || got.Warnings != nil {
		t.Errorf("slots, objects, warnings: %d, %d, %q", len(got.Slots), len(got.Slots[0].Objects), got.Warnings)
	}
}

// What comes out of the child is what is rendered: nothing is lost on the way.
func TestChildAnswersWhatIsRendered(t *testing.T) {
	fromChild, err := Run(t.Context(), shopRequest())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(must(t, shopRequest()), fromChild); diff != "" {
		t.Errorf("in this process (-) and in a child (+):\n%s", diff)
	}
}

func TestShopAsChartsAndAsPlainYAMLIsTheSame(t *testing.T) {
	plain := plainRequest(shopRepo)
	plain.Path, plain.Members = "plain/shop", shopMembers
	if diff := cmp.Diff(must(t, plain).Slots, must(t, shopRequest()).Slots); diff != "" {
		t.Errorf("plain (-) and helm (+):\n%s", diff)
	}
}

func shopAsKustomize() Request {
	req := kustomizeRequest(shopRepo, "kustomize/shop", "overlays/$(slot)")
	req.Members = shopMembers
	return req
}

func TestShopAsChartsAndAsKustomizeIsTheSame(t *testing.T) {
	kustomize := must(t, shopAsKustomize())
	if diff := cmp.Diff(must(t, shopRequest()).Slots, kustomize.Slots); diff != "" {
		t.Errorf("helm (-) and kustomize (+):\n%s", diff)
	}
	want := []string{"kustomize/common", "kustomize/members/cart", "kustomize/members/catalog", "kustomize/members/frontend", "kustomize/members/ledger"}
	if diff := cmp.Diff(want, kustomize.Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

func TestDependenciesAreFoundWithoutRendering(t *testing.T) {
	got, err := Dependencies(t.Context(), shopRequest())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(must(t, shopRequest()).Dependencies, got); diff != "" {
		t.Errorf("rendering (-) and not (+):\n%s", diff)
	}
}
