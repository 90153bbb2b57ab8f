package driver

import (
	"context"
	"fmt"

	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// A registrar answers the kubelet, which finds its socket by watching a
// directory and then asks who is there.
type registrar struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
	// refused receives the kubelet's reason when it will not have the driver.
	refused chan<- error
}

func (s *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              s.name,
		Endpoint:          s.endpoint,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (s *registrar) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !status.GetPluginRegistered() {
		select {
		case s.refused <- fmt.Errorf("the kubelet did not register the driver: %s", status.GetError()):
		default: // it was said already
		}
	}
	return &registration.RegistrationStatusResponse{}, nil
}
