package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sessioncast/sessioncast/internal/daemon"
)

// object is as much of the manifests as concerns sessioncast.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		ClusterIP                string `yaml:"clusterIP"`
		PublishNotReadyAddresses bool   `yaml:"publishNotReadyAddresses"`
		Selector                 yaml.Node
		Ports                    []port
		Template                 struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Containers []container
				Volumes    []struct{ Name string }
			}
		}
		PodSelector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		Ingress []struct{ Ports []port }
	}
}

type port struct {
	Name, Protocol string
	Port           int
	TargetPort     string `yaml:"targetPort"`
	ContainerPort  int    `yaml:"containerPort"`
}

type container struct {
	Name, Image string
	Args        []string
	Env         []struct {
		Name, Value string
		ValueFrom   struct {
			FieldRef struct {
				FieldPath string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Ports          []port
	ReadinessProbe probe `yaml:"readinessProbe"`
	StartupProbe   probe `yaml:"startupProbe"`
	VolumeMounts   []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
	SecurityContext struct {
		RunAsUser int `yaml:"runAsUser"`
	} `yaml:"securityContext"`
}

type probe struct {
	Exec struct{ Command []string }
}

const manifest = "../../deploy/kubernetes/sessioncast.yaml"

func read(t *testing.T) (text string, objects map[string]object) {
	t.Helper()
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	objects = make(map[string]object)
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var o object
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return string(data), objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects[o.Kind] = o
	}
}

func sidecar(t *testing.T, o object) *container {
	t.Helper()
	list := o.Spec.Template.Spec.Containers
	i := slices.IndexFunc(list, func(c container) bool { return c.Name == "sessioncast" })
	if i < 0 {
		t.Fatal("there is no container sessioncast")
	}
	return &list[i]
}

// load gives the daemon the environment of the container, as Kubernetes fills it in.
func load(t *testing.T, c *container, args ...string) (*daemon.CLI, daemon.Host) {
	t.Helper()
	host := daemon.ThisHost()
	host.Env, host.Stdout, host.Stderr = nil, io.Discard, io.Discard
	host.UID, host.TempDir, host.IsDir = c.SecurityContext.RunAsUser, "/tmp", func(string) bool { return false }
	for _, e := range c.Env {
		value := e.Value
		switch {
		case e.ValueFrom.FieldRef.FieldPath == "metadata.name":
			value = "shop-5f6d7c8b9-x2x4z"
		case e.ValueFrom.SecretKeyRef.Name != "":
			value = strings.Repeat("0123456789abcdef", 4) + "\n"
		}
		host.Env = append(host.Env, e.Name+"="+value)
	}
	cli, err := daemon.Load(args, host)
	if err != nil {
		t.Fatal(err)
	}
	return cli, host
}

func TestTheDaemonUnderstandsTheManifest(t *testing.T) {
	text, objects := read(t)
	service, c := objects["Service"], sidecar(t, objects["Deployment"])
	cli, host := load(t, c, c.Args...)
	o := cli.Serve.Options
	if o.Mode != "unicast" || len(o.Peers) != 1 || string(o.Peers[0]) != service.Metadata.Name {
		t.Errorf("mode %s, peers %v, Service %s", o.Mode, o.Peers, service.Metadata.Name)
	}
	if o.Name != "shop-5f6d7c8b9-x2x4z" {
		t.Errorf("name %s", o.Name)
	}
	if key, err := daemon.FindOrCreateKey(&o, host); err != nil || len(key.Keys) != 1 || key.Made {
		t.Errorf("key: %v", err)
	}
	for _, e := range c.Env {
		if s := e.ValueFrom.SecretKeyRef; s.Name != "" && !strings.Contains(text, "secret generic "+s.Name+" --from-file="+s.Key+"=") {
			t.Errorf("the command that makes the secret makes another than %s/%s", s.Name, s.Key)
		}
	}
	for _, p := range []probe{c.ReadinessProbe, c.StartupProbe} {
		if asked, _ := load(t, c, p.Exec.Command[1:]...); asked.Command != "status" || asked.Status.Name != o.Name {
			t.Errorf("the probe %v asks %s of %s", p.Exec.Command, asked.Command, asked.Status.Name)
		}
	}
	if len(c.VolumeMounts) != 1 || !strings.HasPrefix(host.AdminSockets(o.Name)[0], c.VolumeMounts[0].MountPath+"/") {
		t.Errorf("the admin socket stands at %v, the one folder to write to is %v", host.AdminSockets(o.Name), c.VolumeMounts)
	}
}

func TestThePortsOfTheManifestAreTheDaemons(t *testing.T) {
	_, objects := read(t)
	service, c := objects["Service"], sidecar(t, objects["Deployment"])
	cli, _ := load(t, c, c.Args...)
	want := int(cli.Serve.Port)
	open := map[string]string{}
	for _, p := range c.Ports {
		open[p.Name] = p.Protocol
		if p.ContainerPort != want {
			t.Errorf("container port %+v, the daemon's is %d", p, want)
		}
	}
	var protocols []string
	for _, p := range service.Spec.Ports {
		protocols = append(protocols, p.Protocol)
		if p.Port != want || open[p.TargetPort] != p.Protocol {
			t.Errorf("service port %+v leads to no port of the container", p)
		}
	}
	if slices.Sort(protocols); !slices.Equal(protocols, []string{"TCP", "UDP"}) {
		t.Errorf("the service has %v", protocols)
	}
	for _, p := range objects["NetworkPolicy"].Spec.Ingress[0].Ports {
		if p.Port != want {
			t.Errorf("the policy lets port %s/%s through", p.Protocol, strconv.Itoa(p.Port))
		}
	}
}

func TestTheServiceIsHeadlessAndFindsThePods(t *testing.T) {
	_, objects := read(t)
	service, pods := objects["Service"], objects["Deployment"].Spec.Template
	var selector map[string]string
	if err := service.Spec.Selector.Decode(&selector); err != nil {
		t.Fatal(err)
	}
	if service.Spec.ClusterIP != "None" || !service.Spec.PublishNotReadyAddresses {
		t.Error("a service that is not headless, or hides pods that are not ready, finds nobody")
	}
	for _, labels := range []map[string]string{selector, objects["NetworkPolicy"].Spec.PodSelector.MatchLabels} {
		for k, v := range labels {
			if pods.Metadata.Labels[k] != v {
				t.Errorf("no pod has %s=%s", k, v)
			}
		}
	}
	for _, m := range sidecar(t, objects["Deployment"]).VolumeMounts {
		if !slices.ContainsFunc(pods.Spec.Volumes, func(v struct{ Name string }) bool { return v.Name == m.Name }) {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
}
