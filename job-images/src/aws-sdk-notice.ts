// The SDK's versions are locked here; its notice about versions to come would be printed into every job's log.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
