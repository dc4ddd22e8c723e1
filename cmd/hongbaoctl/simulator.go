package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"hongbao/cmd/internal/settings"
	"hongbao/internal/payment"
	"hongbao/internal/payment/simulator"
)

// Who the playground is to its simulated provider.
const (
	simulatedMerchant       = "1900000001"
	simulatedApp            = "wx0000000000000001"
	simulatedMerchantSerial = "PLAYGROUND0000000001"
	simulatedPlatformSerial = "PUB_KEY_ID_0000000000000000000001"
)

// simulatorCmd serves the provider's side. It reads no settings: the provider
// knows nothing of us but our public key.
type simulatorCmd struct {
	Listen string `required:"" help:"host:port."`
	Keys   string `required:"" help:"Directory of the key files." type:"path"`
	Dir    string `required:"" help:"Directory of its ledger." type:"path"`
}

func (s simulatorCmd) Run(ctx context.Context) error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	files, err := simulator.GenerateKeys(s.Keys)
	if err != nil {
		return err
	}
	merchant, err := payment.LoadPublicKey(files.MerchantPublic)
	if err != nil {
		return err
	}
	platform, err := payment.LoadPrivateKey(files.PlatformPrivate)
	if err != nil {
		return err
	}
	apiv3, err := payment.LoadAPIv3Key(files.APIv3)
	if err != nil {
		return err
	}
	sim, err := simulator.New(simulator.Config{
		MerchantID: simulatedMerchant, AppID: simulatedApp, MerchantSerial: simulatedMerchantSerial, MerchantKey: merchant,
		PlatformSerial: simulatedPlatformSerial, PlatformKey: platform, APIv3Key: apiv3,
		LedgerFile: filepath.Join(s.Dir, "ledger.jsonl"), PublicURL: "http://" + s.Listen,
		Now: time.Now, Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	return sim.Run(ctx, listener)
}

// paymentSettings are our merchant account with the simulator at baseURL.
func paymentSettings(keys simulator.Keys, baseURL, notifyURL string) settings.Payment {
	return settings.Payment{
		BaseURL: baseURL, NotifyURL: notifyURL,
		AppID: simulatedApp, MerchantID: simulatedMerchant, MerchantSerial: simulatedMerchantSerial,
		MerchantKeyFile: keys.MerchantPrivate, APIv3KeyFile: keys.APIv3,
		PlatformKeys: []settings.PlatformKey{{Serial: simulatedPlatformSerial, File: keys.PlatformPublic}},
	}
}
