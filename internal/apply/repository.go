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
			"Secret %s, which source.git.secretRef names, does not exist; make it with the keys username and password: kubectl create secret generic %s --namespace %s --from-literal username=… --from-literal password=…",
			key, key.Name, key.Namespace)
	}
	if err != nil {
		return remote, asTeam(stack, stack.Namespace, "reading Secret "+key.String()+" of source.git.secretRef", err)
	}
	remote.Username, remote.Password, err = credentials(key, secret.Data)
	return remote, err
}

// credentials takes a password, or a token in its place; the user name may be left out beside either.
func credentials(key types.NamespacedName, data map[string][]byte) (user, password string, err error) {
	password = string(data["password"])
	if password == "" {
		password = string(data["token"])
	}
	if password == "" {
		return "", "", refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, has neither password nor token; put one of these keys into it", key)
	}
	return string(data["username"]), password, nil
}

// reasoned turns an error of a leaf package that says what people must change into a Refusal.
func reasoned(err error) error {
	var leaf interface{ Reason() string }
	if !errors.As(err, &leaf) {
		return err
	}
	return refuse(leaf.Reason(), "%s", err.Error())
}
