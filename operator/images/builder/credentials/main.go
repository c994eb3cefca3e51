// docker-credential-{ecr-login,gcr,acr-env}: docker's credential helpers for the registries of three clouds, as one
// program under three names. Each is the upstream helper's package; together they are a third of the size of the three.
//
// Upstream's own programs also keep tokens and logs in the home directory, which is read-only in a build pod, and the
// one for ECR says only in that log why it has no answer. Here errors go where every helper's errors go.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/Azure/go-autorest/autorest/azure"
	"github.com/GoogleCloudPlatform/docker-credential-gcr/v2/config"
	gcr "github.com/GoogleCloudPlatform/docker-credential-gcr/v2/credhelper"
	ecr "github.com/awslabs/amazon-ecr-credential-helper/ecr-login"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	acr "github.com/chrismellard/docker-credential-acr-env/pkg/credhelper"
	"github.com/docker/docker-credential-helpers/credentials"
)

func main() {
	helper, err := named(filepath.Base(os.Args[0]))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	credentials.Serve(helper)
}

func named(name string) (credentials.Helper, error) {
	switch name {
	case "docker-credential-ecr-login":
		os.Setenv("AWS_ECR_DISABLE_CACHE", "true")
		return elastic{ecr.NewECRHelper()}, nil
	case "docker-credential-gcr":
		config.GcrOAuth2Username = "oauth2accesstoken" // else the version of upstream's program, which this is not
		return gcr.NewGCRCredentialHelper(nil, workload{}), nil
	case "docker-credential-acr-env":
		followAuthority(os.Getenv("AZURE_AUTHORITY_HOST"))
		return acr.NewACRCredentialsHelper(), nil
	}
	return nil, fmt.Errorf("%s: the name must be docker-credential-ecr-login, -gcr or -acr-env", name)
}

// elastic answers as upstream does, but with its own error instead of "credentials not found".
type elastic struct{ credentials.Helper }

func (elastic) Get(server string) (string, string, error) {
	registry, err := api.ExtractRegistry(server)
	if err != nil {
		return "", "", err
	}
	factory := api.DefaultClientFactory{}
	client := factory.NewClientFromRegion(registry.Region)
	if registry.FIPS {
		if client, err = factory.NewClientWithFipsEndpoint(registry.Region); err != nil {
			return "", "", err
		}
	}
	found, err := client.GetCredentials(server)
	if err != nil {
		return "", "", err
	}
	return found.Username, found.Password, nil
}

// workload asks nothing but the identity of the pod: no files of a user, no gcloud.
type workload struct{ config.UserConfig }

func (workload) TokenSources() []string { return []string{"env"} }

// followAuthority makes the helper ask the authority that workload identity names: it knows AZURE_ENVIRONMENT only.
func followAuthority(authority string) {
	if authority == "" || os.Getenv("AZURE_ENVIRONMENT") != "" {
		return
	}
	host := func(url string) string { return strings.Trim(strings.TrimPrefix(url, "https://"), "/") }
	for _, known := range []azure.Environment{azure.PublicCloud, azure.USGovernmentCloud, azure.ChinaCloud} {
		if host(known.ActiveDirectoryEndpoint) == host(authority) {
			os.Setenv("AZURE_ENVIRONMENT", known.Name)
			return
		}
	}
	other := azure.PublicCloud
	other.Name, other.ActiveDirectoryEndpoint = "AZUREOTHERCLOUD", authority
	azure.SetEnvironment(other.Name, other)
	os.Setenv("AZURE_ENVIRONMENT", other.Name)
}
