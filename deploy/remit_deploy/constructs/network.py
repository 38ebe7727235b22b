"""A network without a way to the internet: AWS's services are reached through endpoints."""

from __future__ import annotations

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from remit_deploy.constructs.logs import log_group
from remit_deploy.constructs.shared import Shared

ENDPOINTS = (
    ("Sqs", ec2.InterfaceVpcEndpointAwsService.SQS),
    ("Sns", ec2.InterfaceVpcEndpointAwsService.SNS),
    ("Events", ec2.InterfaceVpcEndpointAwsService.EVENTBRIDGE),
    ("States", ec2.InterfaceVpcEndpointAwsService.STEP_FUNCTIONS),
    ("Secrets", ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER),
    ("Parameters", ec2.InterfaceVpcEndpointAwsService.SSM),
    ("Bedrock", ec2.InterfaceVpcEndpointAwsService.BEDROCK_RUNTIME),
    ("Kms", ec2.InterfaceVpcEndpointAwsService.KMS),
    ("Logs", ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS),
    ("Xray", ec2.InterfaceVpcEndpointAwsService.XRAY),
)


class Network(Construct):
    """Two zones of isolated subnets, gateways to S3 and DynamoDB, interface endpoints to the rest, flow logs."""

    def __init__(self, scope: Construct, id: str, shared: Shared) -> None:
        super().__init__(scope, id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=shared.names.deployment,
            max_azs=2,
            nat_gateways=0,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
            ],
        )
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.vpc.add_gateway_endpoint("DynamoDB", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        self.group = ec2.SecurityGroup(
            self,
            "Functions",
            vpc=self.vpc,
            description="Functions of the deployment",
            allow_all_outbound=False,
        )
        self.group.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS by its endpoints: nothing else is there"
        )
        doors = ec2.SecurityGroup(
            self, "Endpoints", vpc=self.vpc, description="Endpoints of AWS services", allow_all_outbound=False
        )
        doors.add_ingress_rule(self.group, ec2.Port.tcp(443), "from our functions only")
        for name, service in ENDPOINTS:
            self.vpc.add_interface_endpoint(name, service=service, security_groups=[doors], open=False)
        group = log_group(self, "FlowLog", shared, shared.names.log_group("network"))
        self.vpc.add_flow_log(
            "Flow",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )
