package apply

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
)

// remote is the Stack's repository, with the credentials of the one Secret that the Stack names for it, which is read with
// the rights of its ServiceAccount.
func (a *Applier) remote(ctx context.Context, stack *v1alpha1.Stack) (git.Remote, error) {
	remote := git.Remote{URL: stack.Spec.Source.Git.URL, AllowFile: a.AllowFileURLs}
	ref := stack.Spec.Source.Git.SecretRef
	if ref == nil {
		return remote, nil
	}
	team, err := a.team(stack)
	if err != nil {
		return remote, err
	}
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: stack.Namespace, Name: ref.Name}
	err = team.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		return remote, refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, does not exist; make it: kubectl create secret generic %s --namespace %s %s",
			key, key.Name, key.Namespace, keysFor(remote))
	}
	if err != nil {
		return remote, asTeam(stack, stack.Namespace, "reading Secret "+key.String()+" of source.git.secretRef", err)
	}
	return remote, reasoned(remote.Authenticate(key.String(), secret.Data))
}

// keysFor is how a Secret for the repository is filled.
func keysFor(remote git.Remote) string {
	if remote.UsesSSH() {
		return "--type kubernetes.io/ssh-auth --from-file ssh-privatekey=… --from-file known_hosts=…"
	}
	return "--from-literal username=… --from-literal password=…"
}

// reasoned turns an error of a leaf package that says what people must change into a Refusal.
func reasoned(err error) error {
	var leaf interface{ Reason() string }
	if !errors.As(err, &leaf) {
		return err
	}
	return refuse(leaf.Reason(), "%s", err.Error())
}
